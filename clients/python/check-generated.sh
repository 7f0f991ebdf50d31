#!/usr/bin/env bash
# Fails if the generated part of the package is not what ../../proto gives. PYTHON as for generate.sh.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
"$here/generate.sh" "$fresh/podlaunch"
for part in _gen enums.py v1.py; do
  diff -rq -x __pycache__ "$here/src/podlaunch/$part" "$fresh/podlaunch/$part" || {
    echo "clients/python/src/podlaunch/$part is not what proto/ gives: run clients/python/generate.sh" >&2
    exit 1
  }
done
