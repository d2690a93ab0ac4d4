#!/bin/sh
# edits.sh CMAKE PREFIX GENERATOR: a plugin is built, its schemas are edited, it is built again.
set -eu
cmake=$1 prefix=$2 generator=$3

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
project="$place/a project"
mkdir -p "$project/schemas/deep"
cat >"$project/CMakeLists.txt" <<'EOF'
cmake_minimum_required(VERSION 3.25)
project(edited LANGUAGES C CXX)
find_package(weir-sdk REQUIRED)
weir_add_plugin(edited SOURCES edited.c PROTOS schemas/edited.proto PROTO_ROOTS schemas)
weir_add_plugin(typed SOURCES typed.cpp PROTOS schemas/edited.proto schemas/deep/imported.proto
  PROTO_ROOTS schemas)
EOF
echo '#include <weir/abi.h>
const weir_plugin_table* weir_plugin(const weir_host* host) { return host ? 0 : 0; }' \
  >"$project/edited.c"
echo '#include "edited.pb.h"
extern "C" const void* weir_plugin();
extern "C" const void* weir_plugin() {
  return edited::Edited::default_instance().IsInitialized() ? nullptr : "";
}' >"$project/typed.cpp"
echo 'syntax = "proto3"; package edited; import "deep/imported.proto";
message Edited { int32 at_first = 1; deep.Imported imported = 2; }' \
  >"$project/schemas/edited.proto"
echo 'syntax = "proto3"; package deep; message Imported { int32 deep_at_first = 1; }' \
  >"$project/schemas/deep/imported.proto"

build() {
  "$cmake" --build "$project/build" >"$place/log" 2>&1 || { cat "$place/log"; exit 1; }
}
has() {
  for plugin in edited typed; do
    grep -qa "$1" "$project/build/$plugin.so" || { echo "$plugin.so lacks $1"; exit 1; }
  done
}
lacks() {
  for plugin in edited typed; do
    ! grep -qa "$1" "$project/build/$plugin.so" || { echo "$plugin.so still has $1"; exit 1; }
  done
}

"$cmake" -G "$generator" -S "$project" -B "$project/build" -DCMAKE_PREFIX_PATH="$prefix" \
  >"$place/log" 2>&1 || { cat "$place/log"; exit 1; }
build
has at_first
has deep_at_first
lacks added_later

# A file that is listed after PROTOS.
sed -i 's/int32 at_first = 1;/int32 at_first = 1; int32 added_later = 3;/' \
  "$project/schemas/edited.proto"
build
has added_later

# A file that another one imports, which the plugin `edited` does not even list.
sed -i 's/deep_at_first/deep_renamed/' "$project/schemas/deep/imported.proto"
build
has deep_renamed
lacks deep_at_first

# Nothing has changed, so nothing is built.
before=$(stat -c %Y%y "$project/build/edited.so" "$project/build/typed.so" \
  "$project/build/typed_proto/edited.pb.h")
build
after=$(stat -c %Y%y "$project/build/edited.so" "$project/build/typed.so" \
  "$project/build/typed_proto/edited.pb.h")
[ "$before" = "$after" ] || { echo "it is built again without a change"; cat "$place/log"; exit 1; }

# A mistake in a schema stops the build with protoc's words.
echo 'message Broken { nonsense }' >>"$project/schemas/edited.proto"
if "$cmake" --build "$project/build" >"$place/log" 2>&1; then
  echo "a broken schema builds"
  exit 1
fi
grep -q 'edited.proto:' "$place/log" || { echo "no word of protoc"; cat "$place/log"; exit 1; }
