#include "model/features/pipeline.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/assert.h"
#include "base/hash.h"
#include "model/features/fitted.h"
#include "model/features/tokens.h"
#include "model/math.h"

namespace cromford::model {
namespace {

constexpr double kSecondsPerDay = 86400.0;
// Years from -29,700 to 33,600 or so: beyond it is a missing value, not a date.
constexpr double kEpochSecondsMax = 1e12;
constexpr double kFloatMax = std::numeric_limits<float>::max();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

constexpr std::array<std::string_view, kDatePartCount> kDatePartNames = {
    "epoch days", "year",        "month",       "day",       "weekday",
    "hour",       "minute",      "day of year", "year sine", "year cosine",
    "week sine",  "week cosine", "day sine",    "day cosine"};

// Features are finite or NaN: what does not fit a float32 becomes the largest one.
float to_feature(double x) {
  return std::isnan(x) ? kNan : static_cast<float>(std::clamp(x, -kFloatMax, kFloatMax));
}

double apply_pair(const FittedTransform& t, double left, double right) {
  switch (static_cast<PairOperation>(t.head.option)) {
    case PairOperation::kDifference:
      return t.in_days ? (left - right) / kSecondsPerDay : left - right;
    case PairOperation::kSum:
      return left + right;
    case PairOperation::kProduct:
      return left * right;
    case PairOperation::kRatio:
      return right == 0.0 ? std::numeric_limits<double>::quiet_NaN() : left / right;
  }
  return std::numeric_limits<double>::quiet_NaN();
}

double apply_number(const TransformHead& head, double x) {
  if (std::isnan(x)) {
    return x;
  }
  const double clipped = std::clamp(x, head.low, head.high);
  if (head.option == 0) {
    return clipped;
  }
  return std::copysign(portable_log1p(std::abs(clipped)), clipped);
}

void fill_tokens(const FittedTransform& t, std::string_view text, std::string& scratch,
                 std::span<float> out) {
  if (text.empty()) {
    std::ranges::fill(out, kNan);
    return;
  }
  std::ranges::fill(out, 0.0F);
  const bool hashed = t.head.extra == 0;
  for_each_token(static_cast<TokenKind>(t.head.option), text, scratch, [&](std::string_view token) {
    const std::optional<uint32_t> place =
        hashed ? static_cast<uint32_t>(base::hash64(token) % t.head.width)
               : t.vocabulary.find(token);
    if (place) {
      out[*place] += t.values[*place];
    }
  });
  if (t.head.second == 0) {
    return;
  }
  double sum = 0.0;
  for (const float x : out) {
    sum += static_cast<double>(x) * static_cast<double>(x);
  }
  if (sum > 0.0) {
    const double length = std::sqrt(sum);
    for (float& x : out) {
      x = static_cast<float>(static_cast<double>(x) / length);
    }
  }
}

void fill_length(std::string_view text, std::string& scratch, std::span<float> out) {
  if (text.empty()) {
    out[0] = out[1] = kNan;
    return;
  }
  size_t words = 0;
  for_each_word(text, false, scratch, [&](std::string_view) { ++words; });
  out[0] = static_cast<float>(text.size());
  out[1] = static_cast<float>(words);
}

// Where a transform writes: its first feature of row i is at out[i * stride].
struct Target {
  float* first;
  size_t stride;
  size_t row_count;

  float* row(size_t i) const { return first + i * stride; }
};

void apply_numeric(const FittedTransform& t, std::span<const double> x, const Target& out) {
  for (size_t i = 0; i < out.row_count; ++i) {
    *out.row(i) = to_feature(apply_number(t.head, x[i]));
  }
}

void apply_dates(const FittedTransform& t, std::span<const double> x, const Target& out) {
  for (size_t i = 0; i < out.row_count; ++i) {
    float* row = out.row(i);
    if (!(std::abs(x[i]) < kEpochSecondsMax)) {
      std::fill_n(row, t.parts.size(), kNan);
      continue;
    }
    const DateFields fields = date_fields(x[i]);
    for (size_t j = 0; j < t.parts.size(); ++j) {
      row[j] = to_feature(date_part(static_cast<DatePart>(t.parts[j]), fields));
    }
  }
}

void apply_codes(const FittedTransform& t, const uint32_t* codes, const Target& out) {
  const size_t width = t.head.width;
  for (size_t i = 0; i < out.row_count; ++i) {
    if (t.kind == TransformKind::kCategoryTable) {
      std::copy_n(t.values.data() + codes[i] * width, width, out.row(i));
    } else {
      std::fill_n(out.row(i), width, 0.0F);
      if (codes[i] < width) {
        out.row(i)[codes[i]] = 1.0F;
      }
    }
  }
}

void apply_missing(const ColumnView& column, bool is_text, size_t first_row, const Target& out) {
  for (size_t i = 0; i < out.row_count; ++i) {
    const bool missing =
        is_text ? column.texts[first_row + i].empty() : std::isnan(column.numbers[first_row + i]);
    *out.row(i) = missing ? 1.0F : 0.0F;
  }
}

}  // namespace

std::string_view date_part_name(DatePart part) {
  return kDatePartNames[static_cast<size_t>(part)];
}

DateFields date_fields(double epoch_seconds) {
  const double days = std::floor(epoch_seconds / kSecondsPerDay);
  const auto day_number = static_cast<int64_t>(days);
  DateFields fields;
  fields.epoch_seconds = epoch_seconds;
  fields.date = civil_from_days(day_number);
  fields.weekday = static_cast<double>(((day_number + 3) % 7 + 7) % 7);
  fields.day_of_year = static_cast<double>(day_number - days_from_civil(fields.date.year, 1, 1));
  fields.seconds = epoch_seconds - days * kSecondsPerDay;
  return fields;
}

double date_part(DatePart part, const DateFields& at) {
  const double day_turn = at.seconds / kSecondsPerDay;
  const double week_turn = (at.weekday + day_turn) / 7.0;
  const double year_turn = (at.day_of_year + day_turn) / 366.0;
  switch (part) {
    case DatePart::kEpochDays:
      return at.epoch_seconds / kSecondsPerDay;
    case DatePart::kYear:
      return static_cast<double>(at.date.year);
    case DatePart::kMonth:
      return at.date.month;
    case DatePart::kDay:
      return at.date.day;
    case DatePart::kWeekday:
      return at.weekday;
    case DatePart::kHour:
      return std::floor(at.seconds / 3600.0);
    case DatePart::kMinute:
      return std::floor(std::fmod(at.seconds, 3600.0) / 60.0);
    case DatePart::kDayOfYear:
      return at.day_of_year;
    case DatePart::kYearSine:
      return sine_of_turn(year_turn);
    case DatePart::kYearCosine:
      return cosine_of_turn(year_turn);
    case DatePart::kWeekSine:
      return sine_of_turn(week_turn);
    case DatePart::kWeekCosine:
      return cosine_of_turn(week_turn);
    case DatePart::kDaySine:
      return sine_of_turn(day_turn);
    case DatePart::kDayCosine:
      return cosine_of_turn(day_turn);
  }
  return std::numeric_limits<double>::quiet_NaN();
}

CategoryCode FittedDictionary::code_of(std::string_view text) const {
  if (text.empty()) {
    return {missing(), false};
  }
  const std::optional<uint32_t> index = entries.find(text);
  if (!index) {
    return {other(), true};
  }
  return {std::min(*index, other()), false};
}

FeaturePipeline::FeaturePipeline(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
FeaturePipeline::FeaturePipeline(FeaturePipeline&&) noexcept = default;
FeaturePipeline& FeaturePipeline::operator=(FeaturePipeline&&) noexcept = default;
FeaturePipeline::~FeaturePipeline() = default;

size_t FeaturePipeline::feature_count() const {
  return impl_->feature_count;
}
std::span<const std::string> FeaturePipeline::feature_names() const {
  return impl_->names;
}
std::span<const FeatureOrigin> FeaturePipeline::feature_origins() const {
  return impl_->origins;
}
int FeaturePipeline::dictionary_of(size_t column) const {
  return impl_->dictionary_of[column];
}
size_t FeaturePipeline::dictionary_count() const {
  return impl_->dictionaries.size();
}
uint32_t FeaturePipeline::kept_count(size_t dictionary) const {
  return impl_->dictionaries[dictionary].kept_count;
}
uint32_t FeaturePipeline::entry_count(size_t dictionary) const {
  return impl_->dictionaries[dictionary].entries.size();
}
std::string_view FeaturePipeline::entry(size_t dictionary, uint32_t index) const {
  return impl_->dictionaries[dictionary].entries[index];
}
CategoryCode FeaturePipeline::code_of(size_t dictionary, std::string_view text) const {
  return impl_->dictionaries[dictionary].code_of(text);
}

size_t FeaturePipeline::memory_bytes() const {
  size_t bytes = impl_->transforms.size() * sizeof(FittedTransform);
  for (const FittedDictionary& dictionary : impl_->dictionaries) {
    bytes += dictionary.entries.memory_bytes();
  }
  for (const FittedTransform& t : impl_->transforms) {
    bytes += t.vocabulary.memory_bytes();
  }
  for (const std::string& name : impl_->names) {
    bytes += sizeof(std::string) + name.capacity() + sizeof(FeatureOrigin);
  }
  return bytes;
}

void FeaturePipeline::apply(const RowBatch& batch, size_t first_row, size_t row_count,
                            FeatureScratch& scratch, std::span<float> out) const {
  const Impl& impl = *impl_;
  CROMFORD_ASSERT(batch.columns.size() == impl.is_text.size() &&
                      first_row + row_count <= batch.row_count &&
                      out.size() >= row_count * impl.feature_count,
                  "a batch has the columns of the contract and room for its features");
  scratch.codes.resize(impl.dictionaries.size() * row_count);
  scratch.categories.resize(scratch.codes.size());
  scratch.unseen.assign(impl.dictionaries.size(), 0);
  for (size_t d = 0; d < impl.dictionaries.size(); ++d) {
    const FittedDictionary& dictionary = impl.dictionaries[d];
    const auto texts = batch.columns[dictionary.column].texts.subspan(first_row, row_count);
    for (size_t i = 0; i < row_count; ++i) {
      const CategoryCode code = dictionary.code_of(texts[i]);
      scratch.codes[d * row_count + i] = code.code;
      scratch.categories[d * row_count + i] =
          code.unseen ? unseen_category(dictionary.kept_count) : code.code;
      scratch.unseen[d] += code.unseen ? 1 : 0;
    }
  }
  for (const FittedTransform& t : impl.transforms) {
    const ColumnView& column = batch.columns[t.head.column];
    const Target target{out.data() + t.first_feature, impl.feature_count, row_count};
    switch (t.kind) {
      case TransformKind::kNumber:
        apply_numeric(t, column.numbers.subspan(first_row, row_count), target);
        break;
      case TransformKind::kMissingFlag:
        apply_missing(column, impl.is_text[t.head.column] != 0, first_row, target);
        break;
      case TransformKind::kCategoryTable:
      case TransformKind::kOneHot:
        apply_codes(t, scratch.codes.data() + size_t{t.dictionary} * row_count, target);
        break;
      case TransformKind::kDateParts:
        apply_dates(t, column.numbers.subspan(first_row, row_count), target);
        break;
      case TransformKind::kPair:
        for (size_t i = 0; i < row_count; ++i) {
          *target.row(i) =
              to_feature(apply_pair(t, column.numbers[first_row + i],
                                    batch.columns[t.head.second].numbers[first_row + i]));
        }
        break;
      case TransformKind::kTextTokens:
        for (size_t i = 0; i < row_count; ++i) {
          fill_tokens(t, column.texts[first_row + i], scratch.text, {target.row(i), t.head.width});
        }
        break;
      case TransformKind::kTextLength:
        for (size_t i = 0; i < row_count; ++i) {
          fill_length(column.texts[first_row + i], scratch.text, {target.row(i), 2});
        }
        break;
    }
  }
}

}  // namespace cromford::model
