# cromford_module(NAME name
#   HEADERS a.h ...  SOURCES a.cc ...   the library `cromford_<name>`
#   TESTS a_test.cc ...                 one binary `<name>_test`, one entry in ctest
#   FUZZERS a_fuzz.cc ...               one libFuzzer binary each, with the preset `asan-ubsan` (alias `fuzz`)
#   BENCHES a_bench.cc ...              one Google Benchmark binary each
#   DEPS base ...                       modules that it may include
#   LIBS sqlite ...                     third-party targets
#   TEST_DEPS testing ...               modules that only its tests include
#   TEST_LIBS ...)
#
# All lists are explicit: tests/structure fails for a file that no target builds, for an include of a
# module that DEPS does not name, and for DEPS that the table in ARCHITECTURE.md does not allow.

if(CROMFORD_PCH)
  file(WRITE ${CMAKE_BINARY_DIR}/pch_anchor.cc "")
  add_library(cromford_pch OBJECT ${CMAKE_BINARY_DIR}/pch_anchor.cc)
  target_precompile_headers(cromford_pch PRIVATE
    <algorithm> <chrono> <cstdint> <functional> <memory> <optional> <span> <string> <string_view> <unordered_map> <utility> <vector>
    <absl/status/status.h> <absl/status/statusor.h> <fmt/format.h>)
  target_link_libraries(cromford_pch PRIVATE absl::status absl::statusor fmt::fmt)
endif()

function(cromford_use_pch target)
  if(CROMFORD_PCH)
    target_precompile_headers(${target} REUSE_FROM cromford_pch)
  endif()
endfunction()

function(cromford_module)
  cmake_parse_arguments(ARG "" "NAME" "HEADERS;SOURCES;TESTS;FUZZERS;BENCHES;DEPS;LIBS;TEST_DEPS;TEST_LIBS" ${ARGN})
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "cromford_module(${ARG_NAME}): unknown words ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  set(library cromford_${ARG_NAME})
  list(TRANSFORM ARG_DEPS PREPEND cromford_)
  list(TRANSFORM ARG_TEST_DEPS PREPEND cromford_)

  if(ARG_SOURCES)
    set(visibility PUBLIC)
    add_library(${library} STATIC ${ARG_SOURCES})
    cromford_use_pch(${library})
  else()
    set(visibility INTERFACE)
    add_library(${library} INTERFACE)
  endif()
  target_sources(${library} ${visibility} FILE_SET HEADERS BASE_DIRS ${CMAKE_SOURCE_DIR}/src FILES ${ARG_HEADERS})
  target_include_directories(${library} ${visibility} ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(${library} ${visibility} ${ARG_DEPS} ${ARG_LIBS} absl::status absl::statusor fmt::fmt Threads::Threads)
  set_target_properties(${library} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)

  if(ARG_TESTS)
    set(test ${ARG_NAME}_test)
    add_executable(${test} ${ARG_TESTS})
    cromford_use_pch(${test})
    target_link_libraries(${test} PRIVATE ${library} ${ARG_TEST_DEPS} ${ARG_TEST_LIBS} GTest::gmock GTest::gtest_main)
    target_compile_definitions(${test} PRIVATE CROMFORD_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
                               CROMFORD_SHARED_DIR="${CROMFORD_SHARED}" CROMFORD_VENDOR_DIR="${CROMFORD_VENDOR}")
    add_test(NAME ${ARG_NAME} COMMAND ${test} --gtest_brief=1)
    set_tests_properties(${ARG_NAME} PROPERTIES LABELS unit TIMEOUT 900)
  endif()
  if(CROMFORD_FUZZ)
    foreach(source ${ARG_FUZZERS})
      get_filename_component(name ${source} NAME_WE)
      add_executable(${name} ${source})
      cromford_use_pch(${name})
      target_link_libraries(${name} PRIVATE ${library} ${ARG_TEST_DEPS} ${ARG_TEST_LIBS})
      target_link_options(${name} PRIVATE -fsanitize=fuzzer)
      set_property(GLOBAL APPEND PROPERTY CROMFORD_FUZZERS ${name})
    endforeach()
  else()
    foreach(source ${ARG_BENCHES})
      get_filename_component(name ${source} NAME_WE)
      add_executable(${name} EXCLUDE_FROM_ALL ${source})
      target_link_libraries(${name} PRIVATE ${library} ${ARG_TEST_DEPS} ${ARG_TEST_LIBS} benchmark::benchmark_main)
    endforeach()
  endif()
endfunction()
