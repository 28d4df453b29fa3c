#include "serve/tensor.h"

#include <fmt/format.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"

namespace cromford::serve {
namespace {

namespace dom = simdjson::dom;

constexpr std::string_view kTensorShape =
    R"(write {"name": "COLUMN", "shape": [1], "datatype": "FP64", "data": [1.5]})";

constexpr std::array<std::pair<std::string_view, DataType>, 14> kTypes = {
    {{"FP64", DataType::kReal},
     {"FP32", DataType::kReal},
     {"INT64", DataType::kInteger},
     {"INT32", DataType::kInteger},
     {"BYTES", DataType::kBytes},
     {"BOOL", DataType::kBoolean},
     {"INT16", DataType::kInteger},
     {"INT8", DataType::kInteger},
     {"UINT64", DataType::kInteger},
     {"UINT32", DataType::kInteger},
     {"UINT16", DataType::kInteger},
     {"UINT8", DataType::kInteger},
     {"FP16", DataType::kReal},
     {"BF16", DataType::kReal}}};

absl::Status wrong(const std::string& detail) {
  return base::invalid(detail, kTensorShape);
}

// What a tensor's fields are besides those that it keeps.
struct Parts {
  dom::element shape;
  bool has_shape = false;
  bool has_data = false;
  bool binary = false;
};

// Filled in place rather than returned: this runs once for every column of every request.
absl::Status read_parts(size_t index, dom::object object, Tensor& tensor, Parts& parts) {
  for (const dom::key_value_pair& pair : object) {
    simdjson::error_code code = simdjson::SUCCESS;
    if (pair.key == "name") {
      code = pair.value.get(tensor.name);
    } else if (pair.key == "datatype") {
      code = pair.value.get(tensor.type_name);
    } else if (pair.key == "shape") {
      parts.shape = pair.value;
      parts.has_shape = true;
    } else if (pair.key == "data") {
      code = pair.value.get(tensor.data);
      parts.has_data = true;
    } else if (pair.key == "parameters") {
      dom::object parameters;
      parts.binary = pair.value.get(parameters) == simdjson::SUCCESS &&
                     parameters.at_key("binary_data_size").error() == simdjson::SUCCESS;
    }
    if (code != simdjson::SUCCESS) {
      return wrong(
          fmt::format("input {}: '{}' is {}", index, pair.key, describe_element(pair.value)));
    }
  }
  return absl::OkStatus();
}

// [n] or [n,k].
absl::Status read_shape(dom::element element, const base::Limits& limits, Tensor& tensor) {
  dom::array dimensions;
  if (element.get(dimensions) != simdjson::SUCCESS) {
    return wrong(fmt::format("the input '{}': 'shape' is {}, a list is expected", tensor.name,
                             describe_element(element)));
  }
  std::array<uint64_t, 2> sizes = {0, 1};
  size_t count = 0;
  for (const dom::element dimension : dimensions) {
    if (count == sizes.size() || dimension.get(sizes[count]) != simdjson::SUCCESS) {
      return wrong(fmt::format("the input '{}': its shape is not [n] or [n,k] with whole numbers",
                               tensor.name));
    }
    ++count;
  }
  if (count == 0) {
    return wrong(
        fmt::format("the input '{}': its shape is empty, [n] or [n,k] is expected", tensor.name));
  }
  if (sizes[0] > limits.predict_rows) {
    return wrong(fmt::format("the input '{}' has {} rows, the limit is {}", tensor.name, sizes[0],
                             limits.predict_rows));
  }
  if (sizes[1] == 0 || sizes[1] > limits.columns) {
    return wrong(fmt::format("the input '{}' has {} columns, from 1 to {} are expected",
                             tensor.name, sizes[1], limits.columns));
  }
  tensor.row_count = sizes[0];
  tensor.width = sizes[1];
  return absl::OkStatus();
}

}  // namespace

std::optional<DataType> data_type_by_name(std::string_view name) {
  for (const auto& [known, type] : kTypes) {
    if (known == name) {
      return type;
    }
  }
  return std::nullopt;
}

std::string_view data_type_of(model::InputType type) {
  switch (type) {
    case model::InputType::kNumber:
      return "FP64";
    case model::InputType::kBoolean:
      return "BOOL";
    case model::InputType::kText:
    case model::InputType::kDate:
    case model::InputType::kTimestamp:
      break;
  }
  return "BYTES";
}

bool fits(DataType data, model::InputType type) {
  switch (type) {
    case model::InputType::kNumber:
      return data == DataType::kReal || data == DataType::kInteger;
    case model::InputType::kBoolean:
      return data == DataType::kBoolean || data == DataType::kInteger;
    case model::InputType::kText:
    case model::InputType::kDate:
    case model::InputType::kTimestamp:
      break;
  }
  return data == DataType::kBytes;
}

absl::Status read_tensor(size_t index, dom::object object, const base::Limits& limits,
                         Tensor& tensor) {
  Parts parts;
  TRY(read_parts(index, object, tensor, parts));
  if (tensor.name.empty()) {
    return wrong(fmt::format("input {} has no 'name'", index));
  }
  if (tensor.type_name.empty() || !parts.has_shape) {
    return wrong(fmt::format("the input '{}' has no '{}'", tensor.name,
                             tensor.type_name.empty() ? "datatype" : "shape"));
  }
  const auto type = data_type_by_name(tensor.type_name);
  if (!type) {
    std::vector<std::string_view> names;
    for (const auto& [name, known] : kTypes) {
      names.push_back(name);
    }
    return wrong(fmt::format("the input '{}' has the unknown datatype '{}'; known are {}",
                             tensor.name, base::clip_utf8(tensor.type_name, 40),
                             fmt::join(names, " ")));
  }
  tensor.type = *type;
  TRY(read_shape(parts.shape, limits, tensor));
  if (!parts.has_data) {
    if (parts.binary) {
      const std::string detail =
          fmt::format("the input '{}' is binary, only JSON data are read", tensor.name);
      return base::with_remedy(
          absl::Status(absl::StatusCode::kUnimplemented, {detail.data(), detail.size()}),
          "send its values as 'data' (tritonclient: binary_data=False)");
    }
    return wrong(fmt::format("the input '{}' has no 'data'", tensor.name));
  }
  return absl::OkStatus();
}

bool read_tensor_value(dom::element element, DataType data, model::InputType type,
                       model::Value& value) {
  if (type == model::InputType::kBoolean && element.is_number()) {
    return element.get(value.number) == simdjson::SUCCESS &&
           (value.number == 0.0 || value.number == 1.0);
  }
  if (data == DataType::kInteger && element.type() == dom::element_type::DOUBLE) {
    return false;
  }
  return read_value(element, type, value);
}

absl::Status misfit(const Tensor& tensor, size_t row, dom::element element, model::InputType type) {
  if (tensor.type == DataType::kInteger && element.type() == dom::element_type::DOUBLE) {
    return wrong(fmt::format("the input '{}', row {}: a whole number is expected in {}, not {}",
                             tensor.name, row, tensor.type_name, describe_element(element)));
  }
  return wrong(
      fmt::format("the input '{}', row {}: {}", tensor.name, row, describe_misfit(element, type)));
}

absl::Status wrong_count(const Tensor& tensor, size_t count) {
  const size_t expected = tensor.row_count * tensor.width;
  return wrong(fmt::format("the input '{}' has {}{} values, its shape says {}", tensor.name,
                           count > expected ? "at least " : "", count, expected));
}

absl::Status wrong_nesting(const Tensor& tensor) {
  return wrong(fmt::format("the input '{}': its data are neither flat nor lists of {}", tensor.name,
                           tensor.width));
}

}  // namespace cromford::serve
