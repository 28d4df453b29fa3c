#pragma once

// The REST JSON bodies of Open Inference Protocol V2
// (https://github.com/kserve/open-inference-protocol), over the endpoints of a registry.
//
// Inputs are the model's raw columns, one tensor each, shape [n] or [n,1], flat or nested data:
// FP64 FP32 and every INT/UINT for numbers, BOOL for booleans, BYTES (JSON texts) for texts, dates
// and times; null is missing, so is a column without a tensor. A model whose columns are all
// numeric also takes one tensor [n,k] in column order. The numbers of FP32 tensors are taken as
// they are written, not rounded to 32 bits. A BYTES tensor `id` gives the prediction ids, or the
// parameter `id` does for one row. Outputs: `prediction`, and `probabilities` [n,classes] or
// `lower` and `upper`, and `id` where it is asked for. A whole request is answered by one version:
// the one that the first row's id chooses, or the version addressed.
//
//   const Lease endpoint = registry.find_model("late");
//   TRY(open_inference_infer(context, *endpoint, {.model_name = "late", .body = body}, scratch,
//   out));
//
// Thread safety: any number of threads at once, each with its own scratch and answer.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <string>
#include <string_view>

#include "serve/endpoint.h"
#include "serve/predict_json.h"
#include "serve/scratch.h"

namespace cromford::serve {

struct InferRequest {
  std::string_view model_name;  // As it was addressed; comes back in the answer.
  std::string_view version;     // Empty: the traffic split decides.
  std::string_view body;
  bool quick_only = false;  // Refuses what takes long, see too_long_here().
};

// Appends the answer to `out`, and counts the request. INVALID_ARGUMENT where the body is wrong
// (the message names tensor and row), NOT_FOUND where the endpoint has no such version,
// UNIMPLEMENTED for binary tensors. After an error `out` is as it was.
absl::Status open_inference_infer(const PredictContext& context, const Endpoint& endpoint,
                                  const InferRequest& request, Scratch& scratch, std::string& out);

// The answer of `GET v2/models/{name}[/versions/{version}]`. NOT_FOUND as above.
absl::StatusOr<std::string> open_inference_metadata(const Endpoint& endpoint,
                                                    std::string_view model_name,
                                                    std::string_view version);
// For `GET v2/models/{name}[/versions/{version}]/ready`: whether it could answer now. NOT_FOUND
// where the endpoint does not serve that version.
absl::Status open_inference_ready(const Endpoint& endpoint, std::string_view version);
// The answer of `GET v2`.
std::string open_inference_server_metadata(std::string_view program_version);
// The body of an error on a `/v2` route.
std::string open_inference_error(const absl::Status& status);

}  // namespace cromford::serve
