#!/bin/sh
# varied.sh SCRIPT DIRECTORY PROTO...: the .proto files as the sed script changes them, which it must.
set -e
script=$1
directory=$2
shift 2
mkdir -p "$directory"
changed=false
for proto in "$@"; do
  varied=$directory/$(basename "$proto")
  sed -f "$script" "$proto" >"$varied"
  cmp -s "$proto" "$varied" || changed=true
done
$changed || { echo "$script changes nothing" >&2; exit 1; }
