#pragma once

// The functions of XGBoost's C interface that boosting calls. Only training needs the library (and
// the OpenMP runtime behind it): it is loaded with the first rows to fit (docs/adr/0007), and the
// functions stand here as pointers under their own names, which hide the declarations of
// xgboost/c_api.h. A function that is missing in the list below fails to link.
//
//   TRY(load_xgboost());
//   XGBoosterCreate(&rows, 1, &booster);
//
// Thread safety: load_xgboost() may be called by several threads at once; whoever has a
// BoostingData has the functions.

#include <absl/status/status.h>
#include <xgboost/c_api.h>

#define CROMFORD_XGBOOST_FUNCTIONS(X) \
  X(XGBGetLastError)                  \
  X(XGBSetGlobalConfig)               \
  X(XGBoosterCreate)                  \
  X(XGBoosterFree)                    \
  X(XGBoosterPredict)                 \
  X(XGBoosterSaveModelToBuffer)       \
  X(XGBoosterSetParam)                \
  X(XGBoosterUpdateOneIter)           \
  X(XGDMatrixCreateFromMat)           \
  X(XGDMatrixFree)                    \
  X(XGDMatrixSetFloatInfo)            \
  X(XGProxyDMatrixCreate)             \
  X(XGProxyDMatrixSetDataDense)       \
  X(XGQuantileDMatrixCreateFromCallback)

namespace cromford::learn {

// NOLINTBEGIN(readability-identifier-naming): the names are the library's.
#define CROMFORD_FUNCTION_POINTER(name) inline decltype(&::name) name = nullptr;
CROMFORD_XGBOOST_FUNCTIONS(CROMFORD_FUNCTION_POINTER)
#undef CROMFORD_FUNCTION_POINTER
// NOLINTEND(readability-identifier-naming)

// Loads the library, sets the pointers and silences its log, the first time it is called. INTERNAL
// when the library is missing or of another version; no pointer may be used then.
absl::Status load_xgboost();

}  // namespace cromford::learn
