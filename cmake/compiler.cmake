# Language level, warnings, sanitizers, and what keeps a two-core build short: ccache, mold, precompiled headers.

option(CROMFORD_PCH "Precompile the headers that nearly every file includes" ON)
option(CROMFORD_FUZZ "Build the libFuzzer targets too (clang only)" OFF)
option(CROMFORD_COVERAGE "Instrument for gcov" OFF)
set(CROMFORD_SANITIZE "" CACHE STRING "Sanitizers for everything, e.g. address,undefined")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
add_compile_options(-fPIC)  # For all alike, so that one precompiled header serves libraries and programs.

# Strict IEEE arithmetic everywhere: models must be the same bit for bit on every machine, so no
# contraction to fused multiply-add and no reassociation.
add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -ffp-contract=off
                    -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=
                    -fno-omit-frame-pointer)
# Options structs are written with designated initialisers; what is not named has its default.
add_compile_options(-Wno-missing-field-initializers)
set(CMAKE_CXX_FLAGS_DEV "-O1 -g1")
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -DNDEBUG")
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports false positives of these through std::string and std::optional at -O2.
  add_compile_options(-Wno-maybe-uninitialized -Wno-restrict -Wno-stringop-overflow -Wno-stringop-overread -Wno-array-bounds)
endif()

if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # libstdc++ 12 sorts with a buffer that it has declared deprecated itself.
  add_compile_options(-Wno-deprecated-declarations)
endif()

if(CROMFORD_SANITIZE)
  add_compile_options(-fsanitize=${CROMFORD_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${CROMFORD_SANITIZE})
  add_compile_definitions(CROMFORD_SANITIZED)
endif()
if(CROMFORD_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(CROMFORD_COVERAGE)
  add_compile_options(--coverage)
  add_link_options(--coverage)
endif()

find_program(CROMFORD_CCACHE ccache)
if(CROMFORD_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CROMFORD_CCACHE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-fpch-preprocess)
  else()
    add_compile_options("SHELL:-Xclang -fno-pch-timestamp")
  endif()
endif()
find_program(CROMFORD_MOLD mold)
if(CROMFORD_MOLD)
  add_link_options(-fuse-ld=mold)
endif()
add_link_options(-Wl,--as-needed)
