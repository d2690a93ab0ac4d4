# Compiles SOURCE, which is misuse of the SDK, and looks at what its author gets to read.
#   COMPILER SOURCE SDK PROTO (include paths) HEADER (its precompiled form lies beside it)
file(STRINGS ${SOURCE} first LIMIT_COUNT 1)
string(REGEX REPLACE "^// expect: " "" expected "${first}")
execute_process(
  COMMAND ${COMPILER} -std=c++20 -fsyntax-only -fdiagnostics-color=never -I${SDK}
          -isystem ${PROTO} -include ${HEADER} ${SOURCE}
  RESULT_VARIABLE code ERROR_VARIABLE output)

if(expected STREQUAL "nothing")
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "the control does not compile:\n${output}")
  endif()
  return()
endif()
if(code EQUAL 0)
  message(FATAL_ERROR "it compiles; expected: ${expected}")
endif()
string(REPLACE ";" ":" output "${output}")  # or CMake takes it for a list
string(REPLACE ";" ":" expected "${expected}")
string(REGEX MATCHALL "error:[^\n]*" errors "${output}")
list(GET errors 0 found)
string(FIND "${found}" "${expected}" at)
if(at EQUAL -1)
  message(FATAL_ERROR "expected as the first error: ${expected}\nfound:\n${output}")
endif()
# Our own rules are told of once, without what follows from them.
list(LENGTH errors count)
if(expected MATCHES "^weir:" AND count GREATER 1)
  message(FATAL_ERROR "expected one error, found ${count}:\n${output}")
endif()
