#include "learn/boosting/xgboost_functions.h"

#include <cstdlib>

#include "base/dynamic_library.h"
#include "base/status.h"

namespace cromford::learn {
namespace {

absl::Status load_all() {
  // OpenMP's threads spin between the levels of a tree, and take the processor from the thread that
  // they wait for when anything else runs. The runtime reads this once, as it is loaded.
  ::setenv("OMP_WAIT_POLICY", "passive", /*overwrite=*/0);
  TRY(const base::DynamicLibrary library, base::DynamicLibrary::open(CROMFORD_XGBOOST_SONAME));
#define CROMFORD_LOAD(name) TRY(library.find(#name, name));
  CROMFORD_XGBOOST_FUNCTIONS(CROMFORD_LOAD)
#undef CROMFORD_LOAD
  if (XGBSetGlobalConfig(R"({"verbosity": 0})") != 0) {
    return base::internal("XGBoost cannot be silenced");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status load_xgboost() {
  static const absl::Status loaded = load_all();
  return loaded;
}

}  // namespace cromford::learn
