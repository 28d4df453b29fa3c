#include "serve/predict_json.h"

#include <absl/strings/cord.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <utility>

#include "base/limits.h"
#include "base/name.h"
#include "base/status.h"
#include "base/text.h"
#include "serve/json_text.h"
#include "serve/scoring.h"

namespace cromford::serve {
namespace {

namespace dom = simdjson::dom;

constexpr std::string_view kShape =
    R"(send {"rows": [{"COLUMN": value, ...}, ...]}, with "ids", "at" and "explain" if you like)";
constexpr std::string_view kUnknownRemedy =
    "leave the column out, or add ?unknown=ignore to the address";
// A thread that answered a larger body gives its memory back.

// The value of a column as it came, for a reason.
void append_raw_value(std::string& out, const model::InputColumn& column,
                      const model::ColumnView& view, size_t row) {
  if (column.type == model::InputType::kText) {
    const std::string_view text = view.texts[row];
    if (text.data() == nullptr) {
      out += "null";
    } else {
      append_json_text(out, text);
    }
    return;
  }
  const double number = view.numbers[row];
  if (!std::isfinite(number) || column.type == model::InputType::kNumber) {
    base::append_number(out, number);
  } else if (column.type == model::InputType::kBoolean) {
    out += number != 0.0 ? "true" : "false";
  } else {
    const base::Time time(std::chrono::microseconds(std::llround(number * 1e6)));
    const std::string text = base::format_time(time);
    const bool date = column.type == model::InputType::kDate;
    append_json_text(out, std::string_view(text).substr(0, date ? 10 : text.size()));
  }
}

// One request from its bytes to its answer.
class Request {
 public:
  Request(const PredictContext& context, const Endpoint& endpoint,
          const PredictJsonRequest& request, Scratch::Impl& memory)
      : context_(context), endpoint_(endpoint), request_(request), memory_(memory) {}

  absl::Status answer(std::string& out) {
    TRY(read_fields());
    TRY(read_explain());
    TRY(read_ids());
    TRY(read_at());
    memory_.assign(endpoint_, row_count_);
    TRY(read_rows());
    if (request_.quick_only && estimated_work_ns(endpoint_, memory_, explain_ > 0) > kQuickWorkNs) {
      return too_long_here();
    }
    for (size_t v = 0; v < endpoint_.variants().size(); ++v) {
      if (memory_.counts[v] > 0) {
        memory_.lanes[v].predict(*endpoint_.variants()[v].spec.package);
      }
    }
    write(out);
    return absl::OkStatus();
  }

 private:
  // A field of the body; absent ones are not read further.
  struct Field {
    std::string_view name;
    bool named = false;
    bool there = false;
    dom::element value = {};
  };

  absl::Status wrong(std::string_view pointer, std::string detail) const {
    Faults faults;
    faults.add(std::string(pointer), std::move(detail));
    return faults.status(kShape);
  }

  absl::Status read_fields() {
    TRY(const dom::object root, memory_.json.parse(request_.body, JsonBody::Nan::kRefuse));
    for (const dom::key_value_pair& pair : root) {
      const auto field = std::find_if(fields_.begin(), fields_.end(),
                                      [&](const Field& one) { return one.name == pair.key; });
      if (field == fields_.end()) {
        const std::array<std::string, 4> names = {"rows", "ids", "at", "explain"};
        return wrong(pointer_step(pair.key),
                     fmt::format("the body has an unknown field '{}'{}", pair.key,
                                 base::did_you_mean(pair.key, names)));
      }
      if (std::exchange(field->named, true)) {
        return wrong(pointer_step(pair.key), fmt::format("the body names '{}' twice", pair.key));
      }
      // Optional fields that are null are as good as absent.
      field->there = field == fields_.begin() || !pair.value.is_null();
      field->value = pair.value;
    }
    if (!rows_field().there) {
      return wrong("/rows", "the body has no 'rows'");
    }
    if (rows_field().value.get(rows_) != simdjson::SUCCESS) {
      return wrong("/rows", fmt::format("'rows' is {}, a list is expected",
                                        describe_element(rows_field().value)));
    }
    row_count_ = rows_.size();
    if (row_count_ > context_.limits.predict_rows) {
      return wrong("/rows", fmt::format("'rows' has {} rows, the limit is {}", row_count_,
                                        context_.limits.predict_rows));
    }
    return absl::OkStatus();
  }

  absl::Status read_explain() {
    const Field& field = fields_[3];
    int64_t count = 0;
    if (!field.there) {
      return absl::OkStatus();
    }
    if (field.value.get(count) != simdjson::SUCCESS || count < 0 ||
        count > context_.limits.explain_max) {
      return wrong("/explain",
                   fmt::format("'explain' is {}, a whole number from 0 to {} is expected",
                               describe_element(field.value), context_.limits.explain_max));
    }
    explain_ = static_cast<size_t>(count);
    return absl::OkStatus();
  }

  // The list of texts in `field`, one per row, handed to `use(index, text)`.
  template <typename Use>
  absl::Status for_each_text(const Field& field, Use&& use) const {
    const std::string pointer = pointer_step(field.name);
    dom::array array;
    if (field.value.get(array) != simdjson::SUCCESS) {
      return wrong(pointer, fmt::format("'{}' is {}, a list is expected", field.name,
                                        describe_element(field.value)));
    }
    if (array.size() != row_count_) {
      return wrong(pointer, fmt::format("'{}' has {} entries for {} rows", field.name, array.size(),
                                        row_count_));
    }
    size_t index = 0;
    for (const dom::element element : array) {
      std::string_view text;
      const bool is_text = element.get(text) == simdjson::SUCCESS;
      if (!is_text || !use(index, text)) {
        return wrong(
            fmt::format("{}/{}", pointer, index),
            fmt::format("row {}: {} is expected in '{}', not {}", index,
                        field.name == "at"
                            ? std::string("a time like \"2001-02-28T10:00:00Z\"")
                            : fmt::format("a text of 1 to {} bytes without control characters",
                                          context_.limits.id_bytes),
                        field.name, describe_element(element)));
      }
      ++index;
    }
    return absl::OkStatus();
  }

  absl::Status read_ids() {
    const Field& field = fields_[1];
    if (!field.there) {
      memory_.generate_ids(context_.ids, row_count_);
      return absl::OkStatus();
    }
    memory_.ids.resize(row_count_);
    return for_each_text(field, [&](size_t index, std::string_view text) {
      memory_.ids[index] = text;
      return is_good_id(text, context_.limits.id_bytes);
    });
  }

  absl::Status read_at() {
    memory_.times.clear();
    if (!fields_[2].there) {
      return absl::OkStatus();
    }
    memory_.times.resize(row_count_);
    return for_each_text(fields_[2], [this](size_t index, std::string_view text) {
      const absl::StatusOr<base::Time> time = base::parse_time(text);
      memory_.times[index] = time.value_or(base::Time());
      return time.ok();
    });
  }

  absl::Status read_rows() {
    memory_.stamps.resize(std::max(memory_.stamps.size(), endpoint_.keys().size()));
    size_t row = 0;
    for (const dom::element element : rows_) {
      dom::object object;
      if (element.get(object) != simdjson::SUCCESS) {
        faults_.add(fmt::format("/rows/{}", row), fmt::format("row {} is {}, an object is expected",
                                                              row, describe_element(element)));
      } else {
        read_row(row, object);
      }
      if (faults_.full()) {
        break;
      }
      ++row;
    }
    return faults_.status(unknown_ ? kUnknownRemedy : kShape);
  }

  void read_row(size_t row, dom::object object) {
    const uint64_t stamp = ++memory_.stamp;
    size_t guess = 0;
    for (const dom::key_value_pair& pair : object) {
      const int32_t key = endpoint_.find_key(pair.key, guess);
      if (key < 0) {
        unknown_column(row, pair.key);
        continue;
      }
      const auto index = static_cast<size_t>(key);
      guess = index + 1;
      if (memory_.stamps[index] == stamp) {
        blame(row, pair.key, fmt::format("row {} names the column '{}' twice", row, pair.key));
        continue;
      }
      memory_.stamps[index] = stamp;
      read_cell(row, index, pair);
    }
  }

  // Gives the value to the version that answers the row, and to all shadows.
  void read_cell(size_t row, size_t key, const dom::key_value_pair& pair) {
    const Scratch::Impl::Target target = memory_.targets[row];
    const Variant& variant = endpoint_.variants()[target.variant];
    if (const int32_t column = variant.column_of_key[key]; column >= 0) {
      const model::InputType type =
          variant.spec.package->contract()[static_cast<size_t>(column)].type;
      model::Value value;
      if (!read_value(pair.value, type, value)) {
        blame(row, pair.key,
              fmt::format("row {}, column '{}': {}", row, pair.key,
                          describe_misfit(pair.value, type)));
        return;
      }
      if (value.text.size() > context_.limits.text_value_bytes) {
        blame(row, pair.key,
              fmt::format("row {}, column '{}': the text is longer than {}, the limit", row,
                          pair.key, base::format_size(context_.limits.text_value_bytes)));
        return;
      }
      memory_.lanes[target.variant].rows.set(target.row, static_cast<size_t>(column), value);
    }
    if (endpoint_.has_shadows()) {
      read_shadow_cells(row, key, pair.value);
    }
  }

  void read_shadow_cells(size_t row, size_t key, dom::element element) {
    const std::vector<Variant>& variants = endpoint_.variants();
    for (size_t v = 0; v < variants.size(); ++v) {
      const int32_t column = variants[v].column_of_key[key];
      if (variants[v].spec.role != Role::kShadow || column < 0) {
        continue;
      }
      const auto index = static_cast<size_t>(column);
      model::Value value;
      if (read_value(element, variants[v].spec.package->contract()[index].type, value)) {
        memory_.lanes[v].rows.set(row, index, value);
      } else {
        memory_.lanes[v].failed = true;
      }
    }
  }

  void unknown_column(size_t row, std::string_view name) {
    if (!request_.ignore_unknown) {
      unknown_ = true;
      blame(row, name,
            fmt::format("row {}: the model has no column '{}'{}", row, name,
                        base::did_you_mean(name, endpoint_.keys())));
    }
  }

  void blame(size_t row, std::string_view column, std::string detail) {
    faults_.add(fmt::format("/rows/{}{}", row, pointer_step(column)), std::move(detail));
  }

  void write(std::string& out) {
    out += R"({"endpoint":)";
    append_json_text(out, endpoint_.name());
    out += R"(,"predictions":[)";
    for (size_t row = 0; row < row_count_; ++row) {
      if (row > 0) {
        out += ',';
      }
      write_row(row, out);
    }
    out += "]}";
  }

  void write_row(size_t row, std::string& out) {
    const Scratch::Impl::Target target = memory_.targets[row];
    const Variant& variant = endpoint_.variants()[target.variant];
    const model::Predictions& predictions = memory_.lanes[target.variant].predictions;
    out += R"({"id":)";
    append_json_text(out, memory_.ids[row]);
    out += ',';
    out += variant.version_json;
    if (predictions.class_count > 0) {
      write_classes(variant, predictions, target.row, out);
    } else {
      base::append_number(out, predictions.values[target.row]);
      if (!predictions.lower.empty()) {
        out += R"(,"lower":)";
        base::append_number(out, predictions.lower[target.row]);
        out += R"(,"upper":)";
        base::append_number(out, predictions.upper[target.row]);
      }
    }
    if (explain_ > 0) {
      write_reasons(variant, target, out);
    }
    out += '}';
  }

  static void write_classes(const Variant& variant, const model::Predictions& predictions,
                            size_t row, std::string& out) {
    const std::span<const double> probabilities =
        predictions.probabilities.subspan(row * predictions.class_count, predictions.class_count);
    out += variant.class_json[predictions.classes[row]];
    if (const int positive = variant.spec.package->positive_class(); positive >= 0) {
      out += R"(,"probability":)";
      base::append_number(out, probabilities[static_cast<size_t>(positive)]);
    }
    out += R"(,"probabilities":{)";
    for (size_t c = 0; c < probabilities.size(); ++c) {
      if (c > 0) {
        out += ',';
      }
      out += variant.class_json[c];
      out += ':';
      base::append_number(out, probabilities[c]);
    }
    out += '}';
  }

  void write_reasons(const Variant& variant, Scratch::Impl::Target target, std::string& out) {
    const model::Package& package = *variant.spec.package;
    const model::RowBatch batch = memory_.lanes[target.variant].rows.batch();
    package.explain(batch, target.row, model::Package::kPredictedClass, memory_.explain_workspace,
                    memory_.explanation);
    out += R"(,"reasons":[)";
    bool first = true;
    for (const size_t column : model::top_columns(memory_.explanation, explain_)) {
      out += first ? R"({"column":)" : R"(,{"column":)";
      first = false;
      append_json_text(out, package.contract()[column].name);
      out += R"(,"value":)";
      append_raw_value(out, package.contract()[column], batch.columns[column], target.row);
      out += R"(,"contribution":)";
      base::append_number(out, memory_.explanation.contributions[column]);
      out += '}';
    }
    out += ']';
  }

  const Field& rows_field() const { return fields_[0]; }

  const PredictContext& context_;
  const Endpoint& endpoint_;
  const PredictJsonRequest& request_;
  Scratch::Impl& memory_;
  std::array<Field, 4> fields_ = {
      {{.name = "rows"}, {.name = "ids"}, {.name = "at"}, {.name = "explain"}}};
  dom::array rows_;
  size_t row_count_ = 0;
  size_t explain_ = 0;
  Faults faults_;
  bool unknown_ = false;
};

constexpr char kTooLongHere[] = "cromford/too-long-here";

}  // namespace

absl::Status too_long_here() {
  absl::Status status = base::exhausted("the request asks for too much work at this place");
  status.SetPayload(kTooLongHere, absl::Cord());
  return status;
}

bool is_too_long_here(const absl::Status& status) {
  return !status.ok() && status.GetPayload(kTooLongHere).has_value();
}

absl::Status predict_json(const PredictContext& context, const Endpoint& endpoint,
                          const PredictJsonRequest& request, Scratch& scratch, std::string& out) {
  Request work(context, endpoint, request, *scratch);
  return answer_and_count(context, endpoint, *scratch, request.body.size(), work, out);
}

}  // namespace cromford::serve
