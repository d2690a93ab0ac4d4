#!/bin/sh
# outsider.sh CMAKE SOURCE BUILD PREFIX SAMPLE...
# Builds and tests copies of the samples against PREFIX, where SOURCE and BUILD cannot be read: in a
# mount namespace with empty directories in their place. Without the right to do that: with an empty
# environment, and a check that no file of the build names them.
set -eu
cmake=$1 source=$2 build=$3 prefix=$4
shift 4

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cp -r "$prefix" "$place/sdk"
for sample in "$@"; do cp -r "$source/plugins/$sample" "$place/$sample"; done

cat >"$place/run.sh" <<'INNER'
set -eu
cd "$place"
for sample in "$@"; do
  "$cmake" -S "$sample" -B "$sample/build" -DCMAKE_PREFIX_PATH="$place/sdk" >"$sample.log" 2>&1 &&
    "$cmake" --build "$sample/build" -j 2 >>"$sample.log" 2>&1 &&
    "${cmake%/*}/ctest" --test-dir "$sample/build" --no-tests=error --output-on-failure \
      >>"$sample.log" 2>&1 || { cat "$sample.log"; echo "$sample: failed"; exit 1; }
  test -f "$sample/build/$sample.so" || { echo "$sample: there is no $sample.so"; exit 1; }
  echo "$sample: $(grep 'tests passed' "$sample.log")"
done
INNER

clean() { env -i PATH=/usr/local/bin:/usr/bin:/bin HOME="$place" cmake="$cmake" place="$place" "$@"; }

# Single quotes, since the inner shell expands.
# shellcheck disable=SC2016
if unshare -m sh -c 'mount -t tmpfs none "$1"' sh "$place/sdk" 2>/dev/null; then
  clean unshare -m sh -c '
    source=$1 build=$2
    shift 2
    mount -t tmpfs none "$source"
    if [ -d "$build" ]; then mount -t tmpfs none "$build"; fi
    if [ -e "$source/README.md" ] || [ -e "$build/CMakeCache.txt" ]; then
      echo "the repository can still be read"
      exit 1
    fi
    sh "$place/run.sh" "$@"' sh "$source" "$build" "$@"
  echo "in a mount namespace without the repository"
else
  clean sh "$place/run.sh" "$@"
  if grep -rlF --include=CMakeCache.txt --include='*.ninja' --include='*.make' --include='*.d' \
      -e "$source" -e "$build" "$place"; then
    echo "the files above name the repository"
    exit 1
  fi
  echo "with an empty environment; no file of the build names the repository"
fi
