#!/bin/sh
# install.sh CMAKE BUILD SOURCE PREFIX
set -eu
cmake=$1 build=$2 source=$3 prefix=$4

rm -rf "$prefix"
for component in sdk test-driver; do
  "$cmake" --install "$build" --component "$component" --prefix "$prefix" >/dev/null
done

for file in include/weir/sdk.h include/weir/abi.h include/weir/detail/slots.h; do
  test -f "$prefix/$file" || { echo "$file is not installed"; exit 1; }
done
config=$(find "$prefix" -name weir-sdk-config.cmake)
test -n "$config" || { echo "there is no weir-sdk-config.cmake"; exit 1; }
if grep -rlIF -e "$source" -e "$build" "$prefix"; then
  echo "the files above name the source tree"
  exit 1
fi
# Every header of the SDK is there.
for header in $(cd "$source/sdk/include" && find weir -name '*.h'); do
  test -f "$prefix/include/$header" || { echo "$header is not installed"; exit 1; }
done
