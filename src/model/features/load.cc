#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/status.h"
#include "model/bytes.h"
#include "model/checks.h"
#include "model/features/fitted.h"

namespace cromford::model {
namespace {

constexpr std::string_view kCategoryTableNames[] = {"code", "mean of target", "count"};
constexpr std::string_view kPairSigns[] = {"-", "+", "*", "/"};

// Decodes and checks one transform after the other.
class Loader {
 public:
  Loader(const Contract& contract, ByteReader& in, FeaturePipeline::Impl& impl)
      : contract_(contract), in_(in), impl_(impl) {}

  absl::Status dictionary() {
    FittedDictionary dictionary;
    dictionary.column = in_.get<uint32_t>();
    dictionary.kept_count = in_.get<uint32_t>();
    TRY(dictionary.entries, TextTable::load(in_));
    if (dictionary.column >= contract_.size() || impl_.is_text[dictionary.column] == 0) {
      return base::damaged(
          fmt::format("a dictionary for column {}, which is no text", dictionary.column));
    }
    int& known = impl_.dictionary_of[dictionary.column];
    if (known >= 0) {
      return base::damaged(
          fmt::format("two dictionaries for column '{}'", contract_[dictionary.column].name));
    }
    if (dictionary.kept_count > dictionary.entries.size()) {
      return base::damaged(fmt::format("a dictionary keeps {} of {} categories",
                                       dictionary.kept_count, dictionary.entries.size()));
    }
    known = static_cast<int>(impl_.dictionaries.size());
    impl_.dictionaries.push_back(std::move(dictionary));
    return absl::OkStatus();
  }

  absl::Status transform() {
    FittedTransform t;
    const auto head = in_.array<TransformHead>(1);
    if (!in_.ok()) {
      return base::damaged("it does not fit");
    }
    t.head = head[0];
    t.kind = static_cast<TransformKind>(t.head.kind);
    t.first_feature = static_cast<uint32_t>(impl_.feature_count);
    if (t.head.column >= contract_.size()) {
      return base::damaged(
          fmt::format("it reads column {} of {}", t.head.column, contract_.size()));
    }
    if (t.head.width == 0 || t.head.width > kFeatureCountMax - impl_.feature_count) {
      return base::damaged(fmt::format("it yields {} features; the limit is {} in all, at least 1",
                                       t.head.width, kFeatureCountMax));
    }
    TRY(body(t));
    impl_.feature_count += t.head.width;
    impl_.transforms.push_back(std::move(t));
    return absl::OkStatus();
  }

 private:
  absl::Status body(FittedTransform& t) {
    switch (t.kind) {
      case TransformKind::kNumber:
        return number(t);
      case TransformKind::kMissingFlag:
        name(t, "is missing");
        return plain(t, 1);
      case TransformKind::kCategoryTable:
        return category_table(t);
      case TransformKind::kOneHot:
        return one_hot(t);
      case TransformKind::kDateParts:
        return date_parts(t);
      case TransformKind::kPair:
        return pair(t);
      case TransformKind::kTextTokens:
        return text_tokens(t);
      case TransformKind::kTextLength:
        name(t, "length");
        name(t, "words");
        TRY(text(t));
        return plain(t, 2);
    }
    return base::damaged(fmt::format("its kind {} does not exist", t.head.kind));
  }

  // Fields that the kind does not use are zero, so that equal pipelines have equal bytes.
  static absl::Status plain(const FittedTransform& t, uint32_t width) {
    const TransformHead& h = t.head;
    const bool good = h.option == 0 && h.second == 0 && h.extra == 0 && h.low == 0.0 &&
                      h.high == 0.0 && h.width == width;
    return good ? absl::OkStatus() : base::damaged("its head is malformed");
  }

  absl::Status text(const FittedTransform& t) const {
    return impl_.is_text[t.head.column] != 0
               ? absl::OkStatus()
               : base::damaged(fmt::format("it wants text, and column '{}' is {}",
                                           contract_[t.head.column].name,
                                           input_type_name(contract_[t.head.column].type)));
  }

  absl::Status no_text(uint32_t column) const {
    return impl_.is_text[column] == 0
               ? absl::OkStatus()
               : base::damaged(fmt::format("it wants numbers, and column '{}' is text",
                                           contract_[column].name));
  }

  absl::Status number(FittedTransform& t) {
    const TransformHead& h = t.head;
    impl_.names.push_back(h.option == 0 ? contract_[h.column].name
                                        : fmt::format("{}: log", contract_[h.column].name));
    impl_.origins.push_back({h.column, h.column});
    TRY(no_text(h.column));
    if (std::isnan(h.low) || std::isnan(h.high) || h.low > h.high) {
      return base::damaged("its limits are no range");
    }
    if (h.option > 1 || h.second != 0 || h.extra != 0 || h.width != 1) {
      return base::damaged("its head is malformed");
    }
    return absl::OkStatus();
  }

  absl::Status find_dictionary(FittedTransform& t) {
    TRY(text(t));
    const int dictionary = impl_.dictionary_of[t.head.column];
    if (dictionary < 0) {
      return base::damaged(
          fmt::format("column '{}' has no dictionary", contract_[t.head.column].name));
    }
    t.dictionary = static_cast<uint32_t>(dictionary);
    return absl::OkStatus();
  }

  absl::Status category_table(FittedTransform& t) {
    TRY(find_dictionary(t));
    const uint32_t count = in_.count(sizeof(float));
    t.values = in_.array<float>(count);
    const FittedDictionary& dictionary = impl_.dictionaries[t.dictionary];
    if (!in_.ok() || t.values.size() != (size_t{dictionary.kept_count} + 2) * t.head.width) {
      return base::damaged(fmt::format("{} values for {} categories, other and missing",
                                       t.values.size(), dictionary.kept_count));
    }
    if (std::ranges::any_of(t.values, [](float v) { return std::isinf(v); })) {
      return base::damaged("a value is infinite");
    }
    if (t.head.option >= std::size(kCategoryTableNames)) {
      return base::damaged("its head is malformed");
    }
    for (uint32_t j = 0; j < t.head.width; ++j) {
      name(t, t.head.width == 1 ? std::string(kCategoryTableNames[t.head.option])
                                : fmt::format("{} {}", kCategoryTableNames[t.head.option], j));
    }
    const uint32_t width = t.head.width;
    FittedTransform checked = t;
    checked.head.option = 0;
    return plain(checked, width);
  }

  absl::Status one_hot(FittedTransform& t) {
    TRY(find_dictionary(t));
    const FittedDictionary& dictionary = impl_.dictionaries[t.dictionary];
    if (t.head.width > size_t{dictionary.kept_count} + 2) {
      return base::damaged(fmt::format("{} features for {} categories, other and missing",
                                       t.head.width, dictionary.kept_count));
    }
    for (uint32_t code = 0; code < t.head.width; ++code) {
      name(t, code < dictionary.kept_count    ? fmt::format("= {}", dictionary.entries[code])
              : code == dictionary.kept_count ? "= (other)"
                                              : "= (missing)");
    }
    return plain(t, t.head.width);
  }

  absl::Status date_parts(FittedTransform& t) {
    const InputType type = contract_[t.head.column].type;
    if (type != InputType::kDate && type != InputType::kTimestamp) {
      return base::damaged(fmt::format("it wants dates, and column '{}' is {}",
                                       contract_[t.head.column].name, input_type_name(type)));
    }
    t.parts = in_.array<uint8_t>(t.head.width);
    if (!in_.ok() ||
        std::ranges::any_of(t.parts, [](uint8_t part) { return part >= kDatePartCount; })) {
      return base::damaged("its parts of a date do not exist");
    }
    for (const uint8_t part : t.parts) {
      name(t, date_part_name(static_cast<DatePart>(part)));
    }
    return plain(t, t.head.width);
  }

  absl::Status pair(FittedTransform& t) {
    const TransformHead& h = t.head;
    if (h.second >= contract_.size() || h.second == h.column || h.option > 3 || h.extra != 0 ||
        h.low != 0.0 || h.high != 0.0 || h.width != 1) {
      return base::damaged("its head is malformed");
    }
    TRY(no_text(h.column));
    TRY(no_text(h.second));
    const auto is_date = [this](uint32_t column) {
      const InputType type = contract_[column].type;
      return type == InputType::kDate || type == InputType::kTimestamp;
    };
    t.in_days = h.option == 0 && is_date(h.column) && is_date(h.second);
    impl_.names.push_back(fmt::format("{} {} {}", contract_[h.column].name, kPairSigns[h.option],
                                      contract_[h.second].name));
    impl_.origins.push_back({h.column, h.second});
    return absl::OkStatus();
  }

  absl::Status text_tokens(FittedTransform& t) {
    const TransformHead& h = t.head;
    TRY(text(t));
    if (h.option > 2 || h.second > 1 || h.extra > 1 || h.low != 0.0 || h.high != 0.0) {
      return base::damaged("its head is malformed");
    }
    t.values = in_.array<float>(h.width);
    if (!in_.ok()) {
      return base::damaged("its weights do not fit");
    }
    if (!std::ranges::all_of(t.values, [](float v) { return v >= 0.0F && v <= 1e6F; })) {
      return base::damaged("a weight of a token is negative, not finite or above 1e6");
    }
    if (h.extra == 1) {
      TRY(t.vocabulary, TextTable::load(in_));
      if (t.vocabulary.size() != h.width) {
        return base::damaged(
            fmt::format("{} tokens for {} features", t.vocabulary.size(), h.width));
      }
    }
    for (uint32_t j = 0; j < h.width; ++j) {
      name(t, h.extra == 1 ? fmt::format("has '{}'", t.vocabulary[j]) : fmt::format("token {}", j));
    }
    return absl::OkStatus();
  }

  // Appends a feature called "COLUMN: what".
  void name(const FittedTransform& t, std::string_view what) {
    impl_.names.push_back(fmt::format("{}: {}", contract_[t.head.column].name, what));
    impl_.origins.push_back({t.head.column, t.head.column});
  }

  const Contract& contract_;
  ByteReader& in_;
  FeaturePipeline::Impl& impl_;
};

}  // namespace

absl::StatusOr<FeaturePipeline> FeaturePipeline::load(const Contract& contract, ByteReader& in) {
  auto impl = std::make_unique<Impl>();
  for (const InputColumn& column : contract) {
    impl->is_text.push_back(column.type == InputType::kText ? 1 : 0);
  }
  impl->dictionary_of.assign(contract.size(), -1);
  Loader loader(contract, in, *impl);
  const uint32_t dictionary_count = in.count(8);
  const uint32_t transform_count = in.count(sizeof(TransformHead));
  if (!in.ok()) {
    return base::damaged("the head of the feature pipeline does not fit");
  }
  for (uint32_t i = 0; i < dictionary_count; ++i) {
    const absl::Status status = loader.dictionary();
    if (!status.ok()) {
      return base::annotate(status, fmt::format("dictionary {} of the pipeline", i));
    }
  }
  for (uint32_t i = 0; i < transform_count; ++i) {
    const absl::Status status = loader.transform();
    if (!status.ok()) {
      return base::annotate(status, fmt::format("transform {} of the pipeline", i));
    }
  }
  return FeaturePipeline(std::move(impl));
}

}  // namespace cromford::model
