#include "serve/open_inference.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <utility>

#include "base/limits.h"
#include "base/name.h"
#include "base/status.h"
#include "base/text.h"
#include "serve/json_text.h"
#include "serve/scoring.h"
#include "serve/tensor.h"

namespace cromford::serve {
namespace {

namespace dom = simdjson::dom;

constexpr std::string_view kShape =
    R"(send {"inputs": [{"name": "COLUMN", "shape": [1], "datatype": "FP64", "data": [1.5]}, ...]})";
constexpr std::string_view kIdName = "id";
// A thread that answered a larger body gives its memory back.

enum class Output { kPrediction, kProbabilities, kLower, kUpper, kId };
constexpr std::array kOutputNames = {"prediction", "probabilities", "lower", "upper", "id"};

bool has_output(const model::Package& package, Output output) {
  const bool has_classes = package.task() != model::Task::kRegression;
  switch (output) {
    case Output::kPrediction:
    case Output::kId:
      return true;
    case Output::kProbabilities:
      return has_classes;
    case Output::kLower:
    case Output::kUpper:
      break;
  }
  return !has_classes && package.interval().kind != model::IntervalKind::kNone;
}

std::vector<std::string> output_names(const model::Package& package) {
  std::vector<std::string> names;
  for (size_t i = 0; i < kOutputNames.size(); ++i) {
    if (has_output(package, static_cast<Output>(i))) {
      names.emplace_back(kOutputNames[i]);
    }
  }
  return names;
}

// The variant of the version that was addressed; nothing where none was.
absl::StatusOr<std::optional<size_t>> find_variant(const Endpoint& endpoint,
                                                   std::string_view version) {
  if (version.empty()) {
    return std::optional<size_t>();
  }
  if (const auto number = base::to_number<int32_t>(version)) {
    if (const std::optional<size_t> found = endpoint.find_version(*number)) {
      return found;
    }
  }
  std::vector<std::string> versions;
  for (const Variant& variant : endpoint.variants()) {
    versions.push_back(std::to_string(variant.spec.version));
  }
  return base::not_found(
      fmt::format("the endpoint '{}' does not serve a version '{}'", endpoint.name(), version),
      fmt::format("it serves {}", base::join(versions, ", ")));
}

bool is_all_numeric(const model::Contract& contract) {
  return std::all_of(contract.begin(), contract.end(), [](const model::InputColumn& column) {
    return column.type == model::InputType::kNumber || column.type == model::InputType::kBoolean;
  });
}

// One request from its bytes to its answer.
class Inference {
 public:
  Inference(const PredictContext& context, const Endpoint& endpoint, const InferRequest& request,
            Scratch::Impl& memory)
      : context_(context), endpoint_(endpoint), request_(request), memory_(memory) {}

  absl::Status answer(std::string& out) {
    TRY(const std::optional<size_t> addressed, find_variant(endpoint_, request_.version));
    TRY(read_fields());
    TRY(read_inputs());
    TRY(read_ids());
    const std::string_view first_id = row_count_ > 0 ? memory_.ids.front() : std::string_view();
    const size_t chosen = addressed ? *addressed : endpoint_.choose(first_id);
    const Variant& variant = endpoint_.variants()[chosen];
    TRY(read_outputs(*variant.spec.package));
    memory_.times.clear();
    memory_.assign_all(endpoint_, chosen, row_count_);
    if (request_.quick_only && estimated_work_ns(endpoint_, memory_, false) > kQuickWorkNs) {
      return too_long_here();
    }
    TRY(fill(chosen));
    for (size_t v = 0; v < endpoint_.variants().size(); ++v) {
      if (v != chosen && endpoint_.variants()[v].spec.role == Role::kShadow) {
        memory_.lanes[v].failed = !fill(v).ok();
      }
    }
    Lane& lane = memory_.lanes[chosen];
    lane.predictions = {};
    if (row_count_ > 0) {
      lane.predict(*variant.spec.package);
    }
    write(variant, lane.predictions, out);
    return absl::OkStatus();
  }

 private:
  static absl::Status wrong(std::string_view detail) { return base::invalid(detail, kShape); }

  // Fields that the protocol does not know are passed over: some clients send more.
  absl::Status read_fields() {
    TRY(const dom::object root, memory_.json.parse(request_.body, JsonBody::Nan::kAsNull));
    for (const dom::key_value_pair& pair : root) {
      simdjson::error_code code = simdjson::SUCCESS;
      if (pair.key == "inputs") {
        code = pair.value.get(inputs_.emplace());
      } else if (pair.value.is_null()) {
        continue;
      } else if (pair.key == "outputs") {
        code = pair.value.get(outputs_.emplace());
      } else if (pair.key == kIdName) {
        code = pair.value.get(request_id_.emplace());
      } else if (pair.key == "parameters") {
        TRY(read_parameters(pair.value));
      }
      if (code != simdjson::SUCCESS) {
        return wrong(fmt::format("'{}' is {}, {} is expected", pair.key,
                                 describe_element(pair.value),
                                 pair.key == kIdName ? "a text" : "a list"));
      }
    }
    return inputs_ ? absl::OkStatus() : wrong("the body has no 'inputs'");
  }

  absl::Status read_parameters(dom::element element) {
    dom::object parameters;
    if (element.get(parameters) != simdjson::SUCCESS) {
      return wrong(
          fmt::format("'parameters' is {}, an object is expected", describe_element(element)));
    }
    for (const dom::key_value_pair& pair : parameters) {
      if (pair.key == kIdName) {
        parameter_id_ = pair.value;
      }
    }
    return absl::OkStatus();
  }

  absl::Status read_inputs() {
    memory_.tensors.clear();
    for (const dom::element element : *inputs_) {
      const size_t index = memory_.tensors.size();
      dom::object object;
      if (element.get(object) != simdjson::SUCCESS) {
        return wrong(
            fmt::format("input {} is {}, an object is expected", index, describe_element(element)));
      }
      if (index == context_.limits.columns) {
        return wrong(fmt::format("there are more than {} inputs", context_.limits.columns));
      }
      Tensor& tensor = memory_.tensors.emplace_back();
      TRY(read_tensor(index, object, context_.limits, tensor));
      if (index > 0 && tensor.row_count != row_count_) {
        return wrong(fmt::format("the input '{}' has {} rows, but '{}' has {}", tensor.name,
                                 tensor.row_count, memory_.tensors.front().name, row_count_));
      }
      row_count_ = tensor.row_count;
    }
    return memory_.tensors.empty() ? wrong("'inputs' is empty, so there are no rows")
                                   : absl::OkStatus();
  }

  // The tensor that gives the prediction ids; a model's own column `id` is no such tensor.
  const Tensor* id_tensor() const {
    if (endpoint_.find_key(kIdName, 0) >= 0) {
      return nullptr;
    }
    const auto found = std::find_if(memory_.tensors.begin(), memory_.tensors.end(),
                                    [](const Tensor& tensor) { return tensor.name == kIdName; });
    return found == memory_.tensors.end() ? nullptr : &*found;
  }

  absl::Status read_ids() {
    const auto read_id = [this](size_t row, dom::element element) {
      std::string_view& id = memory_.ids[row];
      if (element.get(id) != simdjson::SUCCESS || !is_good_id(id, context_.limits.id_bytes)) {
        return wrong(
            fmt::format("the id of row {} is {}, a text of 1 to {} bytes without control "
                        "characters is expected",
                        row, describe_element(element), context_.limits.id_bytes));
      }
      return absl::OkStatus();
    };
    memory_.ids.resize(row_count_);
    if (const Tensor* tensor = id_tensor()) {
      if (tensor->type != DataType::kBytes || tensor->width != 1) {
        return wrong("the input 'id' has to be BYTES of shape [n]: the ids of the predictions");
      }
      return for_each_value(*tensor, read_id);
    }
    if (parameter_id_ && row_count_ != 1) {
      return wrong(fmt::format("the parameter 'id' names one row, but there are {}", row_count_));
    }
    if (parameter_id_) {
      return read_id(0, *parameter_id_);
    }
    memory_.generate_ids(context_.ids, row_count_);
    return absl::OkStatus();
  }

  // The outputs to give: those that were asked for, else all but `id`.
  absl::Status read_outputs(const model::Package& package) {
    for (size_t i = 0; i < kOutputNames.size(); ++i) {
      const auto output = static_cast<Output>(i);
      wanted_[i] = !outputs_ && output != Output::kId && has_output(package, output);
    }
    if (!outputs_) {
      return absl::OkStatus();
    }
    for (const dom::element element : *outputs_) {
      std::string_view name;
      if (element["name"].get(name) != simdjson::SUCCESS) {
        return wrong("an entry of 'outputs' has no 'name'");
      }
      const auto known = std::find(kOutputNames.begin(), kOutputNames.end(), name);
      const auto index = static_cast<size_t>(known - kOutputNames.begin());
      if (known == kOutputNames.end() || !has_output(package, static_cast<Output>(index))) {
        const std::vector<std::string> names = output_names(package);
        return base::invalid(
            fmt::format("the model has no output '{}'{}", name, base::did_you_mean(name, names)),
            fmt::format("it has {}", base::join(names, ", ")));
      }
      wanted_[index] = true;
    }
    return absl::OkStatus();
  }

  // Puts the tensors into the lane of a variant.
  absl::Status fill(size_t variant) {
    const model::Contract& contract = endpoint_.variants()[variant].spec.package->contract();
    memory_.stamps.resize(std::max(memory_.stamps.size(), endpoint_.keys().size()));
    const uint64_t stamp = ++memory_.stamp;
    const Tensor* const ids = id_tensor();
    const size_t column_tensors = memory_.tensors.size() - (ids != nullptr ? 1 : 0);
    size_t guess = 0;
    for (const Tensor& tensor : memory_.tensors) {
      if (&tensor == ids) {
        continue;
      }
      const int32_t key = endpoint_.find_key(tensor.name, guess);
      if (column_tensors == 1 && (key < 0 || tensor.width > 1) && tensor.width == contract.size() &&
          is_all_numeric(contract)) {
        return fill_matrix(variant, tensor);
      }
      if (key < 0 && column_tensors == 1 && tensor.width > 1 && is_all_numeric(contract)) {
        return wrong_width(tensor, contract);
      }
      if (key < 0) {
        return base::invalid(fmt::format("the model has no input '{}'{}", tensor.name,
                                         base::did_you_mean(tensor.name, endpoint_.keys())),
                             "leave it out; the model's inputs are at GET v2/models/{name}");
      }
      const auto index = static_cast<size_t>(key);
      guess = index + 1;
      if (std::exchange(memory_.stamps[index], stamp) == stamp) {
        return wrong(fmt::format("the input '{}' stands twice", tensor.name));
      }
      TRY(fill_column(variant, tensor, endpoint_.variants()[variant].column_of_key[index]));
    }
    return absl::OkStatus();
  }

  // One tensor of all columns, but not of as many as the model has.
  static absl::Status wrong_width(const Tensor& tensor, const model::Contract& contract) {
    constexpr size_t kNamesMax = 20;
    std::vector<std::string> names;
    for (size_t i = 0; i < std::min(contract.size(), kNamesMax); ++i) {
      names.push_back(contract[i].name);
    }
    return wrong(fmt::format("the input '{}' has {} columns, the model has {}: {}{}", tensor.name,
                             tensor.width, contract.size(), base::join(names, ", "),
                             contract.size() > kNamesMax ? ", ..." : ""));
  }

  absl::Status fill_column(size_t variant, const Tensor& tensor, int32_t column) {
    if (tensor.width != 1) {
      return wrong(fmt::format(
          "the input '{}' has the shape [{},{}]; a column has [{}] or [{},1], "
          "and a model of numbers only takes one input of all its columns",
          tensor.name, tensor.row_count, tensor.width, tensor.row_count, tensor.row_count));
    }
    if (column < 0) {
      return absl::OkStatus();  // Another version of the endpoint uses it.
    }
    const auto index = static_cast<size_t>(column);
    const model::InputType type =
        endpoint_.variants()[variant].spec.package->contract()[index].type;
    if (!fits(tensor.type, type)) {
      return wrong(fmt::format("the input '{}' is {}, but the column is a {}: {} is expected",
                               tensor.name, tensor.type_name, model::input_type_name(type),
                               data_type_of(type)));
    }
    RowColumns& rows = memory_.lanes[variant].rows;
    return for_each_value(tensor, [&](size_t row, dom::element element) {
      model::Value value;
      if (!read_tensor_value(element, tensor.type, type, value)) {
        return misfit(tensor, row, element, type);
      }
      if (value.text.size() > context_.limits.text_value_bytes) {
        return wrong(fmt::format("the input '{}', row {}: the text is longer than {}, the limit",
                                 tensor.name, row,
                                 base::format_size(context_.limits.text_value_bytes)));
      }
      rows.set(row, index, value);
      return absl::OkStatus();
    });
  }

  absl::Status fill_matrix(size_t variant, const Tensor& tensor) {
    const model::Contract& contract = endpoint_.variants()[variant].spec.package->contract();
    if (tensor.type == DataType::kBytes) {
      return wrong(fmt::format("the input '{}' is BYTES, numbers are expected", tensor.name));
    }
    RowColumns& rows = memory_.lanes[variant].rows;
    return for_each_value(tensor, [&](size_t index, dom::element element) {
      const size_t row = index / tensor.width;
      const size_t column = index % tensor.width;
      model::Value value;
      if (!read_tensor_value(element, tensor.type, contract[column].type, value)) {
        return misfit(tensor, row, element, contract[column].type);
      }
      rows.set(row, column, value);
      return absl::OkStatus();
    });
  }

  void write(const Variant& variant, const model::Predictions& predictions, std::string& out) {
    out += R"({"model_name":)";
    append_json_text(out, request_.model_name);
    out += R"(,"model_version":")";
    base::append_number(out, int64_t{variant.spec.version});
    out += '"';
    if (request_id_) {
      out += R"(,"id":)";
      append_json_text(out, *request_id_);
    }
    if (row_count_ == 1) {
      out += R"(,"parameters":{"id":)";
      append_json_text(out, memory_.ids.front());
      out += '}';
    }
    out += R"(,"outputs":[)";
    bool first = true;
    for (size_t i = 0; i < wanted_.size(); ++i) {
      if (wanted_[i]) {
        out += std::exchange(first, false) ? "" : ",";
        write_output(static_cast<Output>(i), variant, predictions, out);
      }
    }
    out += "]}";
  }

  void write_output(Output output, const Variant& variant, const model::Predictions& predictions,
                    std::string& out) {
    const bool has_classes = variant.spec.package->task() != model::Task::kRegression;
    const size_t class_count = variant.spec.package->classes().size();
    switch (output) {
      case Output::kPrediction:
        begin_output(output, has_classes ? "BYTES" : "FP64", 0, out);
        if (has_classes) {
          write_list(row_count_, out,
                     [&](size_t row) { out += variant.class_json[predictions.classes[row]]; });
        } else {
          write_numbers(predictions.values, out);
        }
        break;
      case Output::kProbabilities:
        begin_output(output, "FP64", class_count, out);
        write_numbers(predictions.probabilities, out);
        break;
      case Output::kLower:
      case Output::kUpper:
        begin_output(output, "FP64", 0, out);
        write_numbers(output == Output::kLower ? predictions.lower : predictions.upper, out);
        break;
      case Output::kId:
        begin_output(output, "BYTES", 0, out);
        write_list(row_count_, out, [&](size_t row) { append_json_text(out, memory_.ids[row]); });
        break;
    }
    out += '}';
  }

  // `width` 0: a tensor of one dimension.
  void begin_output(Output output, std::string_view type, size_t width, std::string& out) const {
    out += R"({"name":")";
    out += kOutputNames[static_cast<size_t>(output)];
    out += R"(","datatype":")";
    out += type;
    out += R"(","shape":[)";
    base::append_number(out, static_cast<int64_t>(row_count_));
    if (width > 0) {
      out += ',';
      base::append_number(out, static_cast<int64_t>(width));
    }
    out += R"(],"data":)";
  }

  template <typename WriteOne>
  static void write_list(size_t count, std::string& out, WriteOne&& write_one) {
    out += '[';
    for (size_t i = 0; i < count; ++i) {
      if (i > 0) {
        out += ',';
      }
      write_one(i);
    }
    out += ']';
  }

  static void write_numbers(std::span<const double> numbers, std::string& out) {
    write_list(numbers.size(), out, [&](size_t i) { base::append_number(out, numbers[i]); });
  }

  const PredictContext& context_;
  const Endpoint& endpoint_;
  const InferRequest& request_;
  Scratch::Impl& memory_;
  std::optional<dom::array> inputs_;
  std::optional<dom::array> outputs_;
  std::optional<std::string_view> request_id_;
  std::optional<dom::element> parameter_id_;
  std::array<bool, kOutputNames.size()> wanted_{};
  size_t row_count_ = 0;
};

void append_tensor_metadata(std::string& out, std::string_view name, std::string_view type,
                            std::string_view shape) {
  out += out.ends_with('[') ? "{" : ",{";
  out += R"("name":)";
  append_json_text(out, name);
  out += fmt::format(R"(,"datatype":"{}","shape":{}}})", type, shape);
}

}  // namespace

absl::Status open_inference_infer(const PredictContext& context, const Endpoint& endpoint,
                                  const InferRequest& request, Scratch& scratch, std::string& out) {
  Inference work(context, endpoint, request, *scratch);
  return answer_and_count(context, endpoint, *scratch, request.body.size(), work, out);
}

absl::StatusOr<std::string> open_inference_metadata(const Endpoint& endpoint,
                                                    std::string_view model_name,
                                                    std::string_view version) {
  TRY(const std::optional<size_t> addressed, find_variant(endpoint, version));
  const Variant& variant = addressed ? endpoint.variants()[*addressed] : endpoint.champion();
  const model::Package& package = *variant.spec.package;
  std::string out = R"({"name":)";
  append_json_text(out, model_name);
  out += R"(,"versions":[)";
  for (const Variant& one : endpoint.variants()) {
    out += fmt::format(R"({}"{}")", out.ends_with('[') ? "" : ",", one.spec.version);
  }
  out += R"(],"platform":"cromford","inputs":[)";
  for (const model::InputColumn& column : package.contract()) {
    append_tensor_metadata(out, column.name, data_type_of(column.type), "[-1]");
  }
  out += R"(],"outputs":[)";
  const bool has_classes = package.task() != model::Task::kRegression;
  for (size_t i = 0; i < kOutputNames.size(); ++i) {
    const auto output = static_cast<Output>(i);
    if (has_output(package, output)) {
      const bool text = output == Output::kId || (output == Output::kPrediction && has_classes);
      append_tensor_metadata(out, kOutputNames[i], text ? "BYTES" : "FP64",
                             output == Output::kProbabilities
                                 ? fmt::format("[-1,{}]", package.classes().size())
                                 : "[-1]");
    }
  }
  return out + "]}";
}

absl::Status open_inference_ready(const Endpoint& endpoint, std::string_view version) {
  return find_variant(endpoint, version).status();
}

std::string open_inference_server_metadata(std::string_view program_version) {
  std::string out = R"({"name":"cromford","version":)";
  append_json_text(out, program_version);
  return out + R"(,"extensions":[]})";
}

std::string open_inference_error(const absl::Status& status) {
  std::string out = R"({"error":)";
  append_json_text(out, base::describe(status));
  return out + '}';
}

}  // namespace cromford::serve
