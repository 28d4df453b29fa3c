#pragma once

// Tensors of Open Inference Protocol V2 as JSON writes them: shape, data type and values.
//
//   Tensor tensor;
//   TRY(read_tensor(index, object, limits, tensor));
//   TRY(for_each_value(tensor, [&](size_t index, simdjson::dom::element value) {
//     return read_tensor_value(value, tensor.type, model::InputType::kNumber, cell);
//   }));
//
// Thread safety: functions only.

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <simdjson.h>

#include <cstddef>
#include <optional>
#include <string_view>

#include "base/limits.h"
#include "base/status.h"
#include "model/contract.h"
#include "serve/json_body.h"

namespace cromford::serve {

// What a tensor's values are, as far as it matters here.
enum class DataType { kReal, kInteger, kBoolean, kBytes };

std::optional<DataType> data_type_by_name(std::string_view name);
// "FP64", "BOOL" or "BYTES": what a column is announced as.
std::string_view data_type_of(model::InputType type);
// Whether a tensor of this type may be a column of that type.
bool fits(DataType data, model::InputType type);

// One input tensor as it stands in the body: [row_count] or [row_count, width], row by row.
struct Tensor {
  std::string_view name;
  std::string_view type_name;
  DataType type = DataType::kReal;
  size_t row_count = 0;
  size_t width = 1;
  simdjson::dom::array data;
};

// Reads the tensor at `index` of 'inputs' into a new `tensor`. INVALID_ARGUMENT names it and says
// what is wrong, the limits of rows and columns included; UNIMPLEMENTED where its data are binary.
absl::Status read_tensor(size_t index, simdjson::dom::object object, const base::Limits& limits,
                         Tensor& tensor);

// The value of a tensor's element for a column of this type; null is missing. Booleans may be 0 and
// 1, values of integer tensors are whole. False where it is none.
bool read_tensor_value(simdjson::dom::element element, DataType data, model::InputType type,
                       model::Value& value);

// INVALID_ARGUMENT for an element that `read_tensor_value` does not take.
absl::Status misfit(const Tensor& tensor, size_t row, simdjson::dom::element element,
                    model::InputType type);
// INVALID_ARGUMENT for another number of values than the shape says, or for lists of another
// length.
absl::Status wrong_count(const Tensor& tensor, size_t count);
absl::Status wrong_nesting(const Tensor& tensor);

// Calls use(index, element) for all values in row-major order, be the data flat or one list per
// row. `use` returns a status; the first error ends it.
template <typename Use>
absl::Status for_each_value(const Tensor& tensor, Use&& use) {
  const size_t expected = tensor.row_count * tensor.width;
  size_t index = 0;
  bool nested = false;
  const auto take = [&](simdjson::dom::element element) -> absl::Status {
    if (index >= expected) {
      return wrong_count(tensor, index + 1);
    }
    return use(index++, element);
  };
  for (const simdjson::dom::element element : tensor.data) {
    const size_t before = index;
    simdjson::dom::array inner;
    if (element.get(inner) != simdjson::SUCCESS) {
      if (nested) {
        return wrong_nesting(tensor);
      }
      TRY(take(element));
      continue;
    }
    if (!nested && index > 0) {
      return wrong_nesting(tensor);
    }
    nested = true;
    for (const simdjson::dom::element value : inner) {
      TRY(take(value));
    }
    if (index - before != tensor.width) {
      return wrong_nesting(tensor);
    }
  }
  return index == expected ? absl::OkStatus() : wrong_count(tensor, index);
}

}  // namespace cromford::serve
