# Every third-party library, found in one place. Each is an imported target; the module that owns a
# library names that target in LIBS of its cromford_module() call.

find_package(absl REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(Threads REQUIRED)
find_package(CURL REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(fmt REQUIRED)
find_package(Eigen3 REQUIRED)
find_package(simdjson REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(GTest REQUIRED)
find_package(benchmark REQUIRED)
find_package(ZLIB REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(sodium REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)

# DuckDB and XGBoost are loaded when they are first used (docs/adr/0007), so nothing is linked with
# them; their owners ask the loader for DUCKDB_SONAME and XGBOOST_SONAME.
function(cromford_soname library result)
  execute_process(COMMAND ${CMAKE_OBJDUMP} -p ${library} OUTPUT_VARIABLE headers COMMAND_ERROR_IS_FATAL ANY)
  if(NOT headers MATCHES "SONAME +([^\n]+)")
    message(FATAL_ERROR "${library} has no soname, so it cannot be loaded by name")
  endif()
  set(${result} ${CMAKE_MATCH_1} PARENT_SCOPE)
endfunction()

find_path(XGBOOST_INCLUDE_DIR xgboost/c_api.h REQUIRED)
find_library(XGBOOST_LIBRARY xgboost REQUIRED)
add_library(cromford_xgboost INTERFACE)
target_include_directories(cromford_xgboost SYSTEM INTERFACE ${XGBOOST_INCLUDE_DIR})
cromford_soname(${XGBOOST_LIBRARY} XGBOOST_SONAME)

# DuckDB: an installed libduckdb when there is one, else the pinned npm packages under vendor/.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  set(CROMFORD_NPM_ARCH arm64)
else()
  set(CROMFORD_NPM_ARCH x64)
endif()
set(CROMFORD_VENDOR "${CMAKE_SOURCE_DIR}/vendor/node_modules" CACHE PATH "The installed npm packages of vendor/")
find_path(DUCKDB_INCLUDE_DIR duckdb.h PATHS ${CROMFORD_VENDOR}/duckdb/src/duckdb/src/include REQUIRED)
find_library(DUCKDB_LIBRARY duckdb PATHS ${CROMFORD_VENDOR}/@duckdb/node-bindings-linux-${CROMFORD_NPM_ARCH} REQUIRED)
# Only the C header may be seen: the rest of that include folder belongs to another version of DuckDB.
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/duckdb)
configure_file(${DUCKDB_INCLUDE_DIR}/duckdb.h ${CMAKE_BINARY_DIR}/duckdb/duckdb.h COPYONLY)
add_library(cromford_duckdb INTERFACE)
target_include_directories(cromford_duckdb SYSTEM INTERFACE ${CMAKE_BINARY_DIR}/duckdb)
cromford_soname(${DUCKDB_LIBRARY} DUCKDB_SONAME)

# Where the loader finds them in the build tree. As DT_RPATH, not DT_RUNPATH: the latter counts only
# for the object that calls dlopen(), which under a sanitizer is the sanitizer's own library.
foreach(library ${DUCKDB_LIBRARY} ${XGBOOST_LIBRARY})
  get_filename_component(folder ${library} DIRECTORY)
  list(APPEND CMAKE_BUILD_RPATH ${folder})
endforeach()
add_link_options(-Wl,--disable-new-dtags)

set(CROMFORD_SHARED "${CMAKE_SOURCE_DIR}/../shared" CACHE PATH "Optional folder with further real data sets for tests")
