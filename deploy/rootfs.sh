#!/usr/bin/env bash
# Assembles the image's root file system from a built binary: the binary, the loader and the
# libraries it names, the CA certificates.
#
#     deploy/rootfs.sh BINARY DIR      fill DIR, which must not exist or be empty
#     deploy/rootfs.sh --list BINARY   print the paths inside the image, one a line, sorted
set -euo pipefail

readonly CERTIFICATES=/etc/ssl/certs/ca-certificates.crt

# The loader and the libraries, as absolute paths. glibc's name services (files, dns) are part of libc.
needed() { # binary
  local found
  found=$(ldd "$1")
  if grep -q 'not found' <<<"$found"; then
    echo "rootfs: a library of $1 is missing:" >&2
    grep 'not found' <<<"$found" >&2
    return 1
  fi
  # `libc.so.6 => /lib/…/libc.so.6 (0x…)` and `/lib64/ld-linux-x86-64.so.2 (0x…)`; the vDSO has no file.
  awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// { print $1 }' <<<"$found" | sort -u
}

usage() {
  sed -n '5,6s/^# *//p' "$0" >&2
  exit 2
}

[ $# = 2 ] || usage
if [ "$1" = --list ]; then
  libraries=$(needed "$2")
  printf '%s\n' /usr/bin/podlaunch "$CERTIFICATES" $libraries | sort
  exit
fi

binary=$1 root=$2
libraries=$(needed "$binary")
if [ -d "$root" ] && [ -n "$(ls -A "$root")" ]; then
  echo "rootfs: $root is not empty" >&2
  exit 1
fi
install -D -m 0755 "$binary" "$root/usr/bin/podlaunch"
for library in $libraries; do
  # install follows links: the image has the files themselves, under the names that are asked for.
  install -D -m 0755 "$library" "$root$library"
done
install -D -m 0644 "$CERTIFICATES" "$root$CERTIFICATES"
