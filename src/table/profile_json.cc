#include <fmt/format.h>

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "base/status.h"
#include "base/text.h"
#include "table/profile.h"

namespace cromford::table {
namespace {

using base::Json;

Json number_json(const NumberSummary& number) {
  return {{"min", number.min},
          {"max", number.max},
          {"mean", number.mean},
          {"sd", number.sd},
          {"skewness", number.skewness},
          {"quantiles", number.quantiles},
          {"histogram", {{"edges", number.histogram.edges}, {"counts", number.histogram.counts}}},
          {"outliers_low", number.outliers_low},
          {"outliers_high", number.outliers_high},
          {"zero", number.zero},
          {"negative", number.negative}};
}

Json text_json(const TextSummary& text) {
  Json patterns = Json::array();
  for (const TextPattern& pattern : text.patterns) {
    patterns.push_back({{"pattern", pattern.pattern}, {"share", pattern.share}});
  }
  return {{"length_min", text.length_min},
          {"length_max", text.length_max},
          {"length_mean", text.length_mean},
          {"blank", text.blank},
          {"padded", text.padded},
          {"looked_at", text.looked_at},
          {"number_share", text.number_share},
          {"date_share", text.date_share},
          {"patterns", std::move(patterns)}};
}

Json column_json(const ColumnProfile& column) {
  Json top = Json::array();
  for (const TopValue& value : column.top) {
    top.push_back({{"value", value.value}, {"count", value.count}});
  }
  Json document = {{"name", column.name},
                   {"storage", column_type_name(column.storage)},
                   {"semantic", semantic_type_name(column.semantic)},
                   {"missing", column.missing},
                   {"distinct", column.distinct},
                   {"exact", column.exact},
                   {"top", std::move(top)}};
  if (column.number) {
    document["number"] = number_json(*column.number);
  }
  if (column.text) {
    document["text"] = text_json(*column.text);
  }
  return document;
}

// Reads an object strictly: every member that is asked for must be there with its type, and
// `finish` refuses members that nobody asked for. The first error stays.
class ObjectReader {
 public:
  ObjectReader(const Json& document, std::string pointer, absl::Status& status)
      : document_(document), pointer_(std::move(pointer)), status_(status) {
    if (!document.is_object()) {
      fail("", "must be an object");
    }
  }

  bool has(const char* key) const { return document_.is_object() && document_.contains(key); }
  std::string at(std::string_view key) const { return fmt::format("{}/{}", pointer_, key); }

  void fail(std::string_view key, std::string_view what) {
    if (status_.ok()) {
      const std::string pointer = key.empty() ? pointer_ : at(key);
      status_ =
          base::with_field_error(base::invalid(fmt::format("the profile is damaged: {} {}",
                                                           pointer.empty() ? "it" : pointer, what)),
                                 {pointer, std::string(what)});
    }
  }
  const Json& member(const char* key) {
    static const Json kNothing;
    known_.insert(key);
    if (!has(key)) {
      fail(key, "is absent");
      return kNothing;
    }
    return document_[key];
  }
  int64_t count(const char* key) { return count_in(key, member(key)); }
  int64_t count_in(std::string_view key, const Json& value) {
    if (!value.is_number_integer() || value < 0 || value > (int64_t{1} << 48)) {
      fail(key, "must be a count");
      return 0;
    }
    return value.get<int64_t>();
  }
  double number(const char* key) { return number_in(key, member(key)); }
  double number_in(std::string_view key, const Json& value) {
    if (!value.is_number() || !std::isfinite(value.get<double>())) {
      fail(key, "must be a number");
      return 0;
    }
    return value.get<double>();
  }
  double share(const char* key) {
    const double value = number(key);
    if (value < 0 || value > 1) {
      fail(key, "must be a share between 0 and 1");
    }
    return value;
  }
  bool flag(const char* key) {
    const Json& value = member(key);
    if (!value.is_boolean()) {
      fail(key, "must be true or false");
      return false;
    }
    return value.get<bool>();
  }
  std::string text(const char* key) {
    const Json& value = member(key);
    if (!value.is_string()) {
      fail(key, "must be a text");
      return {};
    }
    return value.get<std::string>();
  }
  const Json& list(const char* key, size_t length_max) {
    static const Json kEmpty = Json::array();
    const Json& value = member(key);
    if (!value.is_array() || value.size() > length_max) {
      fail(key, fmt::format("must be a list of at most {}", length_max));
      return kEmpty;
    }
    return value;
  }
  void finish() {
    if (!document_.is_object()) {
      return;
    }
    for (const auto& [key, value] : document_.items()) {
      if (!known_.contains(key)) {
        fail(key, "is not known");
      }
    }
  }

 private:
  const Json& document_;
  std::string pointer_;
  absl::Status& status_;
  std::set<std::string> known_;
};

constexpr size_t kListMax = 1000;
constexpr size_t kColumnsMax = 100'000;

Histogram read_histogram(const Json& document, const std::string& pointer, absl::Status& status) {
  ObjectReader reader(document, pointer, status);
  Histogram histogram;
  for (const Json& edge : reader.list("edges", kListMax)) {
    histogram.edges.push_back(reader.number_in("edges", edge));
  }
  for (const Json& count : reader.list("counts", kListMax)) {
    histogram.counts.push_back(reader.count_in("counts", count));
  }
  if (histogram.counts.empty() || histogram.edges.size() != histogram.counts.size() + 1) {
    reader.fail("edges", "must be one more than the counts");
  }
  if (!std::is_sorted(histogram.edges.begin(), histogram.edges.end())) {
    reader.fail("edges", "must ascend");
  }
  reader.finish();
  return histogram;
}

NumberSummary read_number(const Json& document, const std::string& pointer, absl::Status& status) {
  ObjectReader reader(document, pointer, status);
  NumberSummary number;
  number.min = reader.number("min");
  number.max = reader.number("max");
  number.mean = reader.number("mean");
  number.sd = reader.number("sd");
  number.skewness = reader.number("skewness");
  for (const Json& value : reader.list("quantiles", kQuantileCount)) {
    number.quantiles.push_back(reader.number_in("quantiles", value));
  }
  if (number.quantiles.size() != kQuantileCount) {
    reader.fail("quantiles", fmt::format("must be {}", kQuantileCount));
  }
  number.histogram = read_histogram(reader.member("histogram"), reader.at("histogram"), status);
  number.outliers_low = reader.count("outliers_low");
  number.outliers_high = reader.count("outliers_high");
  number.zero = reader.count("zero");
  number.negative = reader.count("negative");
  reader.finish();
  return number;
}

TextSummary read_text(const Json& document, const std::string& pointer, absl::Status& status) {
  ObjectReader reader(document, pointer, status);
  TextSummary text;
  text.length_min = reader.count("length_min");
  text.length_max = reader.count("length_max");
  text.length_mean = reader.number("length_mean");
  text.blank = reader.count("blank");
  text.padded = reader.count("padded");
  text.looked_at = reader.count("looked_at");
  text.number_share = reader.share("number_share");
  text.date_share = reader.share("date_share");
  for (const Json& item : reader.list("patterns", kListMax)) {
    ObjectReader pattern(item, reader.at("patterns"), status);
    text.patterns.push_back({pattern.text("pattern"), pattern.share("share")});
    pattern.finish();
  }
  reader.finish();
  return text;
}

std::optional<SemanticType> parse_semantic_type(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(SemanticType::kConstant); ++i) {
    if (semantic_type_name(static_cast<SemanticType>(i)) == name) {
      return static_cast<SemanticType>(i);
    }
  }
  return std::nullopt;
}

ColumnProfile read_column(const Json& document, const std::string& pointer, int64_t row_count,
                          absl::Status& status) {
  ObjectReader reader(document, pointer, status);
  ColumnProfile column;
  column.name = reader.text("name");
  const auto storage = parse_column_type(reader.text("storage"));
  const auto semantic = parse_semantic_type(reader.text("semantic"));
  if (!storage) {
    reader.fail("storage", "is not a column type");
  }
  if (!semantic) {
    reader.fail("semantic", "is not a semantic type");
  }
  column.storage = storage.value_or(ColumnType::kText);
  column.semantic = semantic.value_or(SemanticType::kText);
  column.missing = reader.count("missing");
  if (column.missing > row_count) {
    reader.fail("missing", "is more than there are rows");
  }
  column.distinct = reader.count("distinct");
  column.exact = reader.flag("exact");
  for (const Json& item : reader.list("top", kListMax)) {
    ObjectReader value(item, reader.at("top"), status);
    column.top.push_back({value.text("value"), value.count("count")});
    value.finish();
  }
  if (reader.has("number")) {
    column.number = read_number(reader.member("number"), reader.at("number"), status);
  }
  if (reader.has("text")) {
    column.text = read_text(reader.member("text"), reader.at("text"), status);
  }
  reader.finish();
  return column;
}

}  // namespace

Json to_json(const Profile& profile, ProfileDetail detail) {
  Json columns = Json::array();
  for (const ColumnProfile& column : profile.columns) {
    columns.push_back(column_json(column));
  }
  Json warnings = Json::array();
  for (const ProfileWarning& warning : profile.warnings) {
    warnings.push_back(
        {{"code", warning.code}, {"column", warning.column}, {"text", warning.text}});
  }
  Json document = {{"format", kProfileFormat},
                   {"row_count", profile.row_count},
                   {"duplicate_rows", profile.duplicate_rows},
                   {"duplicates_exact", profile.duplicates_exact},
                   {"columns", std::move(columns)},
                   {"warnings", std::move(warnings)}};
  if (detail == ProfileDetail::kWithState && !profile.state.empty()) {
    document["state"] = base::to_base64url(profile.state);
  }
  return document;
}

absl::StatusOr<Profile> profile_from_json(const Json& document) {
  absl::Status status;
  ObjectReader reader(document, "", status);
  Profile profile;
  if (reader.count("format") != kProfileFormat) {
    reader.fail("format", fmt::format("must be {}", kProfileFormat));
  }
  TRY(status);
  profile.row_count = reader.count("row_count");
  profile.duplicate_rows = reader.count("duplicate_rows");
  profile.duplicates_exact = reader.flag("duplicates_exact");
  std::set<std::string> names;
  size_t index = 0;
  for (const Json& item : reader.list("columns", kColumnsMax)) {
    const std::string pointer = fmt::format("/columns/{}", index++);
    profile.columns.push_back(read_column(item, pointer, profile.row_count, status));
    if (!names.insert(profile.columns.back().name).second) {
      reader.fail("columns", fmt::format("has {} twice", profile.columns.back().name));
    }
  }
  index = 0;
  for (const Json& item : reader.list("warnings", 20 * kColumnsMax)) {
    ObjectReader warning(item, fmt::format("/warnings/{}", index++), status);
    profile.warnings.push_back(
        {warning.text("code"), warning.text("column"), warning.text("text")});
    warning.finish();
  }
  if (reader.has("state")) {
    const auto state = base::from_base64url(reader.text("state"));
    if (!state) {
      reader.fail("state", "is not base64url");
    }
    profile.state = state.value_or("");
  }
  reader.finish();
  TRY(status);
  return profile;
}

}  // namespace cromford::table
