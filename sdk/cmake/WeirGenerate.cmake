# Run by the build: lite Protobuf code, the schemas as a byte array in a section of their own, and a
# depfile of every .proto file that took part.
#   PROTOC LANGUAGE ROOTS PROTOS (parted by |) DIRECTORY SCHEMAS DEPFILE
string(REPLACE "|" ";" ROOTS "${ROOTS}")
string(REPLACE "|" ";" PROTOS "${PROTOS}")
list(TRANSFORM ROOTS PREPEND "--proto_path=")

function(run_protoc)
  execute_process(COMMAND ${PROTOC} ${ROOTS} ${ARGN} RESULT_VARIABLE code ERROR_VARIABLE errors)
  if(errors)
    message("${errors}")
  endif()
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "protoc refused the schemas")
  endif()
endfunction()

set(descriptors ${DIRECTORY}/schemas.bin)
set(code "")
if(LANGUAGE STREQUAL CXX)
  set(code --cpp_out=lite:${DIRECTORY})
endif()
run_protoc(${code} --include_imports --descriptor_set_out=${descriptors} ${PROTOS})

# An array instead of .incbin: the compiler then sees every change.
file(READ ${descriptors} bytes HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)"
  "\\1\n" bytes "${bytes}")
file(WRITE ${SCHEMAS} "#include <weir/abi.h>\n"
  "WEIR_SECTION(WEIR_SCHEMAS_SECTION)\nstatic const unsigned char weir_schemas[] = {\n${bytes}};\n")

# protoc lists the imports of one file at a time, and does not escape spaces.
set(inputs "")
foreach(proto IN LISTS PROTOS)
  run_protoc(--descriptor_set_out=${descriptors}.one --dependency_out=${DEPFILE}.one ${proto})
  file(READ ${DEPFILE}.one listed)
  string(FIND "${listed}" ".one: " start)
  math(EXPR start "${start} + 6")
  string(SUBSTRING "${listed}" ${start} -1 listed)
  string(REGEX REPLACE "\\\\\n *" ";" listed "${listed}")
  foreach(input IN LISTS listed)
    string(STRIP "${input}" input)
    list(APPEND inputs "${input}")
  endforeach()
endforeach()
list(REMOVE_DUPLICATES inputs)
set(text "")
foreach(input IN LISTS inputs)
  string(REPLACE " " "\\ " input "${input}")
  string(APPEND text " \\\n  ${input}")
endforeach()
string(REPLACE " " "\\ " target "${SCHEMAS}")
file(WRITE ${DEPFILE} "${target}:${text}\n")
