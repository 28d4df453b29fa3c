#include "table/duck_functions.h"

#include "base/dynamic_library.h"
#include "base/status.h"

namespace cromford::table {
namespace {

absl::Status load_all() {
  TRY(const base::DynamicLibrary library, base::DynamicLibrary::open(CROMFORD_DUCKDB_SONAME));
#define CROMFORD_LOAD(name) TRY(library.find(#name, name));
  CROMFORD_DUCKDB_FUNCTIONS(CROMFORD_LOAD)
#undef CROMFORD_LOAD
  return absl::OkStatus();
}

}  // namespace

absl::Status load_duckdb() {
  static const absl::Status loaded = load_all();
  return loaded;
}

}  // namespace cromford::table
