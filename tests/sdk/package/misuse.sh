#!/bin/sh
# misuse.sh CMAKE PREFIX: each wrong call stops the configuration with a text that helps.
set -eu
cmake=$1 prefix=$2

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
echo 'syntax = "proto3"; message M {}' >p.proto
mkdir elsewhere
cp p.proto elsewhere/q.proto
echo >p.c
echo >p.cpp
failures=0

# refuses LANGUAGES EXPECTED CALL
refuses() {
  cat >CMakeLists.txt <<EOF
cmake_minimum_required(VERSION 3.25)
project(misuse LANGUAGES $1)
find_package(weir-sdk REQUIRED)
$3
EOF
  if "$cmake" -S . -B "build-$(echo "$1" | tr -d ' ')" -DCMAKE_PREFIX_PATH="$prefix" >log 2>&1; then
    echo "not refused: $3"
    failures=$((failures + 1))
  # CMake wraps its messages.
  elif ! tr -s '\n ' '  ' <log | grep -qF -- "$2"; then
    echo "refused with other words: $3"
    echo "expected: $2"
    cat log
    failures=$((failures + 1))
  fi
}

right='write: weir_add_plugin(p SOURCES p.cpp PROTOS p.proto)'
refuses 'C CXX' "weir_add_plugin(p): SOURCES is missing; $right" 'weir_add_plugin(p PROTOS p.proto)'
refuses 'C CXX' "weir_add_plugin(p): PROTOS is missing; $right" 'weir_add_plugin(p SOURCES p.cpp)'
refuses 'C CXX' "weir_add_plugin(p): unknown argument: p.cpp; $right" \
  'weir_add_plugin(p p.cpp PROTOS p.proto)'
refuses 'C CXX' "weir_add_plugin(p): nothing after SOURCES; $right" \
  'weir_add_plugin(p SOURCES PROTOS p.proto)'
refuses 'C CXX' "weir_add_plugin(My-Plugin): a plugin's name is [a-z][a-z0-9_]*; write:" \
  'weir_add_plugin(My-Plugin SOURCES p.cpp PROTOS p.proto)'
refuses 'C CXX' "weir_add_plugin(p): SOURCES: there is no file" \
  'weir_add_plugin(p SOURCES none.cpp PROTOS p.proto)'
refuses 'C CXX' "weir_add_plugin(p): PROTOS: there is no file" \
  'weir_add_plugin(p SOURCES p.cpp PROTOS none.proto)'
refuses 'C CXX' "weir_add_plugin(p): p.cpp after PROTOS is no .proto file; $right" \
  'weir_add_plugin(p SOURCES p.cpp PROTOS p.cpp)'
refuses 'C CXX' "add its directory:" \
  'weir_add_plugin(p SOURCES p.cpp PROTOS p.proto PROTO_ROOTS elsewhere)'
refuses 'C' "weir_add_plugin(p): its sources need the language CXX; write: project(p LANGUAGES CXX)" \
  'weir_add_plugin(p SOURCES p.cpp PROTOS p.proto)'
refuses 'CXX' "weir_add_plugin(p): its sources need the language C; write: project(p LANGUAGES C)" \
  'weir_add_plugin(p SOURCES p.c PROTOS p.proto)'
refuses 'C CXX' "weir_add_plugin_test(p): there is no plugin p yet; write before it: weir_add_plugin(p" \
  'weir_add_plugin_test(p TESTS p.cpp)'
plugin='weir_add_plugin(p SOURCES p.cpp PROTOS p.proto)'
refuses 'C CXX' "weir_add_plugin_test(p): TESTS is missing; write: weir_add_plugin_test(p TESTS p_test.cpp)" \
  "$plugin
weir_add_plugin_test(p)"
refuses 'C CXX' "weir_add_plugin_test(p): unknown argument: p.cpp; write:" \
  "$plugin
weir_add_plugin_test(p p.cpp)"
refuses 'C CXX' "weir_add_plugin_test(p): APP: there is no file" \
  "$plugin
weir_add_plugin_test(p TESTS p.cpp APP none.yaml)"
refuses 'C' "weir_add_plugin_test(p): tests need C++; write: project(p LANGUAGES C CXX)" \
  "weir_add_plugin(p SOURCES p.c PROTOS p.proto)
weir_add_plugin_test(p TESTS p.cpp)"

# The control: the right call is taken.
cat >CMakeLists.txt <<EOF
cmake_minimum_required(VERSION 3.25)
project(right LANGUAGES C)
find_package(weir-sdk REQUIRED)
weir_add_plugin(p SOURCES p.c PROTOS p.proto OUTPUT_NAME other)
EOF
"$cmake" -S . -B build-C -DCMAKE_PREFIX_PATH="$prefix" >log 2>&1 || { cat log; exit 1; }

[ "$failures" = 0 ]
