#pragma once

// The inside of FeaturePipeline: transforms as loaded, and the functions of its three parts
// (encoding, loading with all checks, applying). Private to model/features.
//
// Thread safety: as FeaturePipeline.

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/features/dictionary.h"
#include "model/features/pipeline.h"

namespace cromford::model {

// The numbers stand in package files and never change.
enum class TransformKind : uint32_t {
  kNumber = 1,
  kMissingFlag = 2,
  kCategoryTable = 3,
  kOneHot = 4,
  kDateParts = 5,
  kPair = 6,
  kTextTokens = 7,
  kTextLength = 8,
};

// The head of a transform as stored: 40 bytes.
struct TransformHead {
  uint32_t kind = 0;
  uint32_t option = 0;  // NumberScale, CategoryTableKind, PairOperation or TokenKind
  uint32_t column = 0;
  uint32_t second = 0;  // pairs: the right column; text tokens: 1 where rows are normalized
  uint32_t width = 0;   // features it yields
  uint32_t extra = 0;   // text tokens: 1 where a vocabulary follows
  double low = 0.0;     // numbers: the limits of clipping
  double high = 0.0;
};
static_assert(sizeof(TransformHead) == 40);

struct FittedDictionary {
  uint32_t column = 0;
  uint32_t kept_count = 0;
  TextTable entries;

  uint32_t other() const { return kept_count; }
  uint32_t missing() const { return kept_count + 1; }
  CategoryCode code_of(std::string_view text) const;
};

struct FittedTransform {
  TransformHead head;
  TransformKind kind = TransformKind::kNumber;
  uint32_t first_feature = 0;
  uint32_t dictionary = 0;         // category tables, one-hot
  bool in_days = false;            // pairs: the difference of two dates
  std::span<const float> values;   // category tables: by code; text tokens: idf
  std::span<const uint8_t> parts;  // date parts
  TextTable vocabulary;            // text tokens
};

struct FeaturePipeline::Impl {
  std::vector<unsigned char> is_text;  // per raw column
  std::vector<FittedDictionary> dictionaries;
  std::vector<int> dictionary_of;  // per raw column, or -1
  std::vector<FittedTransform> transforms;
  size_t feature_count = 0;
  std::vector<std::string> names;
  std::vector<FeatureOrigin> origins;
  std::shared_ptr<const std::vector<std::byte>> owned;  // only of create()
};

constexpr uint32_t kDatePartCount = 14;
// "epoch days", "year", ...
std::string_view date_part_name(DatePart part);

// A moment in UTC, taken apart.
struct DateFields {
  double epoch_seconds = 0.0;
  CivilDate date;
  double weekday = 0.0;      // Monday 0 .. Sunday 6
  double day_of_year = 0.0;  // 0 .. 365
  double seconds = 0.0;      // of the day
};
DateFields date_fields(double epoch_seconds);
double date_part(DatePart part, const DateFields& at);

// All features of a pipeline, so that offsets fit and a damaged package cannot ask for much.
constexpr size_t kFeatureCountMax = 100000;

}  // namespace cromford::model
