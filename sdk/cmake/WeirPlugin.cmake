# weir_add_plugin() and weir_add_plugin_test(): how a plugin is built, here and in an author's own
# project after find_package(weir-sdk).
include_guard(GLOBAL)

# weir_add_plugin(<name>
#   SOURCES <file>...        C++ or C
#   PROTOS <file.proto>...   every schema that the plugin uses
#   [PROTO_ROOTS <dir>...]   where imports are looked up; the current source directory by default
#   [LINK <library>...]
#   [OUTPUT_NAME <name>])    the file is <name>.so
#
# Makes these targets:
#   <name>          the module. It exports the entry function alone, and can really be unloaded.
#   <name>_objects  its objects, for tests that call its functions
#   <name>_proto    the lite Protobuf code of PROTOS
# The schemas lie in the module as a FileDescriptorSet and follow every edit of a .proto file.
function(weir_add_plugin name)
  set(call "weir_add_plugin(${name} SOURCES ${name}.cpp PROTOS ${name}.proto)")
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "OUTPUT_NAME" "SOURCES;PROTOS;PROTO_ROOTS;LINK")
  if(arg_UNPARSED_ARGUMENTS)
    list(JOIN arg_UNPARSED_ARGUMENTS " " unknown)
    message(FATAL_ERROR
      "weir_add_plugin(${name}): unknown argument: ${unknown}; write:\n  ${call}")
  endif()
  if(arg_KEYWORDS_MISSING_VALUES)
    list(JOIN arg_KEYWORDS_MISSING_VALUES " " empty)
    message(FATAL_ERROR "weir_add_plugin(${name}): nothing after ${empty}; write:\n  ${call}")
  endif()
  if(NOT name MATCHES "^[a-z][a-z0-9_]*$")
    message(FATAL_ERROR "weir_add_plugin(${name}): a plugin's name is [a-z][a-z0-9_]*; write:\n"
      "  weir_add_plugin(unique_ips SOURCES unique_ips.cpp PROTOS unique_ips.proto)")
  endif()
  foreach(mandatory SOURCES PROTOS)
    if(NOT arg_${mandatory})
      message(FATAL_ERROR "weir_add_plugin(${name}): ${mandatory} is missing; write:\n  ${call}")
    endif()
  endforeach()
  foreach(kind SOURCES PROTOS)
    foreach(file IN LISTS arg_${kind})
      cmake_path(ABSOLUTE_PATH file BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} OUTPUT_VARIABLE path)
      if(kind STREQUAL PROTOS AND NOT file MATCHES "\\.proto$")
        message(FATAL_ERROR
          "weir_add_plugin(${name}): ${file} after PROTOS is no .proto file; write:\n  ${call}")
      endif()
      get_source_file_property(generated ${path} GENERATED)
      if(NOT EXISTS ${path} AND NOT generated)
        message(FATAL_ERROR "weir_add_plugin(${name}): ${kind}: there is no file ${path}")
      endif()
    endforeach()
  endforeach()

  # A plugin written in C alone needs no C++ compiler and no Protobuf library.
  set(language C)
  foreach(source IN LISTS arg_SOURCES)
    if(NOT source MATCHES "\\.c$")
      set(language CXX)
    endif()
  endforeach()
  if(NOT CMAKE_${language}_COMPILER_LOADED)
    message(FATAL_ERROR "weir_add_plugin(${name}): its sources need the language ${language}; "
      "write:\n  project(${name} LANGUAGES ${language})")
  endif()

  _weir_generate(${name} ${language} "${arg_PROTOS}" "${arg_PROTO_ROOTS}")

  add_library(${name}_objects OBJECT ${arg_SOURCES})
  target_link_libraries(${name}_objects PUBLIC weir::sdk ${name}_proto ${arg_LINK})
  add_library(${name} MODULE)
  target_link_libraries(${name} PRIVATE ${name}_objects ${name}_proto ${arg_LINK})
  set_target_properties(${name} PROPERTIES PREFIX "" SUFFIX ".so" LINKER_LANGUAGE ${language})
  if(language STREQUAL CXX)
    # In the module alone: in a test's program it would take the place of libc's for the program.
    target_sources(${name} PRIVATE ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/own_destructors.cpp)
  endif()
  if(arg_OUTPUT_NAME)
    set_target_properties(${name} PROPERTIES OUTPUT_NAME ${arg_OUTPUT_NAME})
  endif()

  foreach(target ${name} ${name}_objects ${name}_proto)
    _weir_unloadable(${target} ${language})
  endforeach()

  # One exported symbol: with more, other libraries bind to this one and it stays mapped for ever.
  set(exports ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/plugin.map)
  target_link_options(${name} PRIVATE
    LINKER:--version-script=${exports} LINKER:--gc-sections LINKER:--build-id LINKER:-z,now
    LINKER:-z,relro)
  set_target_properties(${name} PROPERTIES LINK_DEPENDS ${exports})
  # A sanitizer's runtime is in the host only, so that its symbols are undefined here.
  _weir_sanitized(sanitized)
  if(NOT sanitized)
    target_link_options(${name} PRIVATE LINKER:-z,defs)
  endif()
endfunction()

# weir_add_plugin_test(<name> TESTS <file.cpp>... [APP <app.yaml>] [LINK <library>...])
#
# One doctest executable <name>_test from TESTS and the objects of the plugin <name>, with main().
# Its tests may call the plugin's functions, and drive the built plugin through weir::TestDriver,
# which finds it by WEIR_PLUGIN_DIR, and the app by WEIR_APP (<name>.yaml where that exists).
macro(weir_add_plugin_test name)
  enable_testing()  # sets a variable, which a function would keep to itself
  _weir_add_plugin_test(${name} ${ARGN})
endmacro()

function(_weir_add_plugin_test name)
  set(call "weir_add_plugin_test(${name} TESTS ${name}_test.cpp)")
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "APP" "TESTS;LINK")
  if(arg_UNPARSED_ARGUMENTS)
    list(JOIN arg_UNPARSED_ARGUMENTS " " unknown)
    message(FATAL_ERROR
      "weir_add_plugin_test(${name}): unknown argument: ${unknown}; write:\n  ${call}")
  endif()
  if(NOT arg_TESTS)
    message(FATAL_ERROR "weir_add_plugin_test(${name}): TESTS is missing; write:\n  ${call}")
  endif()
  if(NOT TARGET ${name}_objects)
    message(FATAL_ERROR "weir_add_plugin_test(${name}): there is no plugin ${name} yet; write "
      "before it:\n  weir_add_plugin(${name} SOURCES ${name}.cpp PROTOS ${name}.proto)")
  endif()
  if(arg_APP)
    cmake_path(ABSOLUTE_PATH arg_APP BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} OUTPUT_VARIABLE app)
    if(NOT EXISTS ${app})
      message(FATAL_ERROR "weir_add_plugin_test(${name}): APP: there is no file ${app}")
    endif()
  elseif(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${name}.yaml)
    set(app ${CMAKE_CURRENT_SOURCE_DIR}/${name}.yaml)
  endif()

  if(NOT CMAKE_CXX_COMPILER_LOADED)
    message(FATAL_ERROR "weir_add_plugin_test(${name}): tests need C++; write:\n"
      "  project(${name} LANGUAGES C CXX)")
  endif()
  if(NOT TARGET doctest::doctest)
    find_package(doctest REQUIRED)
  endif()
  include(doctest)

  set(main ${CMAKE_CURRENT_BINARY_DIR}/${name}_test_main.cpp)
  file(CONFIGURE OUTPUT ${main} CONTENT
    "#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN\n#include <doctest/doctest.h>\n")
  add_executable(${name}_test ${arg_TESTS} ${main})
  target_compile_features(${name}_test PRIVATE cxx_std_20)
  target_link_libraries(${name}_test PRIVATE
    ${name}_objects ${name}_proto doctest::doctest ${arg_LINK})
  if(TARGET weir::test_driver)
    target_link_libraries(${name}_test PRIVATE weir::test_driver)
    target_compile_definitions(${name}_test PRIVATE WEIR_HAS_TEST_DRIVER=1)
  endif()
  add_dependencies(${name}_test ${name})

  # Discovery flattens a list in a property: of two variables in ENVIRONMENT the second is lost.
  set(environment ENVIRONMENT "WEIR_PLUGIN_DIR=$<TARGET_FILE_DIR:${name}>")
  if(app)
    list(APPEND environment ENVIRONMENT_MODIFICATION "WEIR_APP=set:${app}")
  endif()
  doctest_discover_tests(${name}_test TEST_PREFIX "${name}/"
    PROPERTIES LABELS ${name} ${environment})
endfunction()

# What makes dlclose() real: nothing but the entry is visible, and no symbol is unique in the
# process (STB_GNU_UNIQUE pins a library, and a second build of it would share the first's statics).
function(_weir_unloadable target language)
  set_target_properties(${target} PROPERTIES
    POSITION_INDEPENDENT_CODE ON
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_compile_options(${target} PRIVATE -ffunction-sections -fdata-sections
    $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)
  if(language STREQUAL CXX)
    target_compile_features(${target} PUBLIC cxx_std_20)
  else()
    target_compile_features(${target} PUBLIC c_std_11)
  endif()
endfunction()

function(_weir_sanitized result)
  get_directory_property(compile COMPILE_OPTIONS)
  get_directory_property(link LINK_OPTIONS)
  set(flags "${compile} ${link} ${CMAKE_C_FLAGS} ${CMAKE_CXX_FLAGS}"
    "${CMAKE_MODULE_LINKER_FLAGS} ${CMAKE_EXE_LINKER_FLAGS}")
  if(flags MATCHES "-fsanitize=")
    set(${result} TRUE PARENT_SCOPE)
  else()
    set(${result} FALSE PARENT_SCOPE)
  endif()
endfunction()

# <name>_proto: lite code (C++ only) and the schemas section.
function(_weir_generate name language protos roots)
  if(NOT TARGET protobuf::protoc)
    find_package(Protobuf REQUIRED QUIET)
  endif()
  if(NOT roots)
    set(roots ${CMAKE_CURRENT_SOURCE_DIR})
  endif()
  set(root_paths "")
  foreach(root IN LISTS roots)
    cmake_path(ABSOLUTE_PATH root BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} NORMALIZE)
    list(APPEND root_paths ${root})
  endforeach()

  set(directory ${CMAKE_CURRENT_BINARY_DIR}/${name}_proto)
  file(MAKE_DIRECTORY ${directory})
  set(paths "")
  set(sources "")
  set(headers "")
  foreach(proto IN LISTS protos)
    cmake_path(ABSOLUTE_PATH proto BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} NORMALIZE
      OUTPUT_VARIABLE path)
    set(relative "")
    foreach(root IN LISTS root_paths)
      cmake_path(IS_PREFIX root ${path} below)
      if(below AND relative STREQUAL "")
        cmake_path(RELATIVE_PATH path BASE_DIRECTORY ${root} OUTPUT_VARIABLE relative)
      endif()
    endforeach()
    if(relative STREQUAL "")
      list(JOIN root_paths " " shown)
      message(FATAL_ERROR "weir_add_plugin(${name}): ${path} is not below any of: ${shown}; add its "
        "directory:\n  weir_add_plugin(${name} ... PROTOS ${proto} PROTO_ROOTS <directory>)")
    endif()
    list(APPEND paths ${relative})
    cmake_path(REMOVE_EXTENSION relative LAST_ONLY OUTPUT_VARIABLE stem)
    list(APPEND sources ${directory}/${stem}.pb.cc)
    list(APPEND headers ${directory}/${stem}.pb.h)
  endforeach()

  if(language STREQUAL C)
    set(schemas ${directory}/${name}_schemas.c)
    set(outputs ${schemas})
    set(compiled ${schemas})
  else()
    set(schemas ${directory}/${name}_schemas.cpp)
    set(outputs ${schemas} ${sources} ${headers})
    set(compiled ${sources} ${schemas})
  endif()
  # One command makes all of it, after an edit of any of the files or of what they import. Ninja
  # looks in the depfile for the first output.
  list(JOIN root_paths "|" joined_roots)
  list(JOIN paths "|" joined_paths)
  set(dependencies "")
  foreach(proto IN LISTS protos)
    cmake_path(ABSOLUTE_PATH proto BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} NORMALIZE)
    list(APPEND dependencies ${proto})
  endforeach()
  add_custom_command(
    OUTPUT ${outputs}
    COMMAND ${CMAKE_COMMAND} -DPROTOC=$<TARGET_FILE:protobuf::protoc> -DLANGUAGE=${language}
            "-DROOTS=${joined_roots}" "-DPROTOS=${joined_paths}" -DDIRECTORY=${directory}
            -DSCHEMAS=${schemas} -DDEPFILE=${directory}/${name}.d
            -P ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/WeirGenerate.cmake
    DEPENDS ${dependencies} ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/WeirGenerate.cmake protobuf::protoc
    DEPFILE ${directory}/${name}.d
    COMMENT "Generating the schemas of ${name}"
    VERBATIM)

  add_library(${name}_proto OBJECT ${compiled})
  set_target_properties(${name}_proto PROPERTIES C_CLANG_TIDY "" CXX_CLANG_TIDY "")
  target_link_libraries(${name}_proto PUBLIC weir::sdk)
  if(language STREQUAL CXX)
    target_include_directories(${name}_proto SYSTEM PUBLIC ${directory})
    # The shared library that the host also uses.
    target_link_libraries(${name}_proto PUBLIC protobuf::libprotobuf)
  endif()
endfunction()
