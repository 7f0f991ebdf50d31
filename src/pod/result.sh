# The sidecar that takes a task's result file. Arguments: FILE MAX_BYTES ROOM (bytes for short results in the word).
# Needs nothing but a POSIX shell and the programs below. Kubernetes expands $( NAME ) and two dollars in a row.
file=${PODLAUNCH_CONTAINER_ROOT-}$1 max=$2 room=$3 mark=podlaunch-result/1
message=${PODLAUNCH_CONTAINER_ROOT-}/dev/termination-log
for tool in base64 cat head sha256sum sleep tr wc; do
  command -v "$tool" >/dev/null || { echo "the image of the result sidecar has no $tool" >&2; exit 1; }
done
say() { echo "$mark $*" >"$message"; }
end() { say "$@"; exit 0; }
take() {
  trap '' TERM
  if [ ! -e "$file" ] && [ ! -L "$file" ]; then
    directory=${file%/*}
    if [ -e "$directory" ] && [ ! -x "$directory" ]; then end unreadable; fi
    end missing
  fi
  if [ ! -f "$file" ] || [ ! -r "$file" ]; then end unreadable; fi
  size=`wc -c <"$file"` && size=$((size)) || end unreadable
  [ "$size" -le "$max" ] || end too-large "$size"
  sum=`sha256sum <"$file"` && sum=${sum%% *} || end unreadable
  odd=`LC_ALL=C tr -d '\011\012\040-\176' <"$file" | wc -c`
  if [ "$odd" -eq 0 ] && [ "$size" -le "$room" ]; then
    { say ok "$size" "$sum" text; cat "$file" >>"$message"; }
  elif [ $(( (size + 56) / 57 * 77 )) -le "$room" ]; then
    { say ok "$size" "$sum" base64; base64 <"$file" >>"$message"; }
  else
    large=yes
  fi
  echo "$mark begin $size $sum"
  # Long lines: each is a record of the log. Not every base64 knows how to.
  base64 -w 7600 <"$file" 2>/dev/null || base64 <"$file"
  echo "$mark end"
  if [ "${large-}" ]; then
    # Some runtimes lose what is still in their pipes when a container ends: let that be this.
    head -c 262144 /dev/zero | tr '\000' .
    echo
    say ok "$size" "$sum" log
  fi
  exit 0
}
trap take TERM
say ready
while :; do
  sleep 3600 &
  wait "$!"
done
