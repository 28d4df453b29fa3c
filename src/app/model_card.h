#pragma once

// The model card: what a model version is, what it was trained on, how good it is and where to be
// careful, told from the evidence that training left. As JSON, Markdown or one self-contained HTML
// page. (Mitchell et al., Model Cards for Model Reporting, 2019.)
//
//   TRY(const std::string page, render_model_card(model_version, "html"));
//
// Thread safety: pure functions.

#include <string>
#include <string_view>

#include "base/json.h"
#include "base/status.h"

namespace cromford::app {

// `format`: "json", "md" or "html"; INVALID_ARGUMENT otherwise. `model_version` is the resource.
absl::StatusOr<std::string> render_model_card(const base::Json& model_version,
                                              std::string_view format);

}  // namespace cromford::app
