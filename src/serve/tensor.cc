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

absl::Status wrong(std::string detail) {
  return base::invalid(detail, kTensorShape);
}

// The fields of a tensor before they are understood.
struct Parts {
  std::string_view name;
  std::string_view type_name;
  std::optional<dom::element> shape;
  std::optional<dom::array> data;
  bool binary = false;
};

absl::StatusOr<Parts> read_parts(size_t index, dom::object object) {
  Parts parts;
  for (const dom::key_value_pair& pair : object) {
    simdjson::error_code code = simdjson::SUCCESS;
    if (pair.key == "name") {
      code = pair.value.get(parts.name);
    } else if (pair.key == "datatype") {
      code = pair.value.get(parts.type_name);
    } else if (pair.key == "shape") {
      parts.shape = pair.value;
    } else if (pair.key == "data") {
      dom::array data;
      code = pair.value.get(data);
      parts.data = data;
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
  return parts;
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

absl::StatusOr<Tensor> read_tensor(size_t index, dom::object object, const base::Limits& limits) {
  TRY(const Parts parts, read_parts(index, object));
  if (parts.name.empty()) {
    return wrong(fmt::format("input {} has no 'name'", index));
  }
  Tensor tensor;
  tensor.name = parts.name;
  tensor.type_name = parts.type_name;
  if (parts.type_name.empty() || !parts.shape) {
    return wrong(fmt::format("the input '{}' has no '{}'", parts.name,
                             parts.type_name.empty() ? "datatype" : "shape"));
  }
  const auto type = data_type_by_name(parts.type_name);
  if (!type) {
    std::vector<std::string_view> names;
    for (const auto& [name, known] : kTypes) {
      names.push_back(name);
    }
    return wrong(fmt::format("the input '{}' has the unknown datatype '{}'; known are {}",
                             parts.name, base::clip_utf8(parts.type_name, 40),
                             fmt::join(names, " ")));
  }
  tensor.type = *type;
  TRY(read_shape(*parts.shape, limits, tensor));
  if (!parts.data) {
    if (parts.binary) {
      const std::string detail =
          fmt::format("the input '{}' is binary, only JSON data are read", parts.name);
      return base::with_remedy(
          absl::Status(absl::StatusCode::kUnimplemented, {detail.data(), detail.size()}),
          "send its values as 'data' (tritonclient: binary_data=False)");
    }
    return wrong(fmt::format("the input '{}' has no 'data'", parts.name));
  }
  tensor.data = *parts.data;
  return tensor;
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
