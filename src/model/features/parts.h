#pragma once

// What a fitted feature pipeline consists of, as plain values: `learn` fits them on training rows,
// package_writer stores them, and FeaturePipeline (features/pipeline.h) applies them. Each
// transform reads one raw column (pairs: two) and yields one or more float32 features; the features
// of a pipeline are those of its transforms, one after the other.
//
//   PipelineParts parts;
//   parts.dictionaries.push_back({.column = 0, .entries = {"ATL", "ORD", "XYZ"}, .kept_count = 2});
//   parts.transforms.push_back(NumberTransform{.column = 1});
//   parts.transforms.push_back(CategoryTable{
//       .column = 0, .kind = CategoryTableKind::kTarget, .width = 1,
//       .values = {0.21F, 0.30F, /*other*/ 0.25F, /*missing*/ 0.24F}});
//   TRY(FeaturePipeline pipeline, FeaturePipeline::create(contract, parts));
//
// Thread safety: values.

#include <cstdint>
#include <limits>
#include <string>
#include <variant>
#include <vector>

namespace cromford::model {

// The categories of a text column that training saw. The entries are distinct and not empty. The
// first `kept_count` have codes of their own, 0 .. kept_count - 1 (by convention the most frequent
// first, ties by text); all later ones are rare. Rare and never seen values get the code
// kept_count ("other"), missing ones kept_count + 1. Unseen ones (no entry at all) are counted.
struct Dictionary {
  uint32_t column = 0;
  std::vector<std::string> entries = {};
  uint32_t kept_count = 0;
};

enum class NumberScale : uint8_t {
  kIdentity = 0,
  kSignedLog = 1,  // sign(x) * log(1 + |x|)
};

// One feature: the number, boolean (0, 1), or date or timestamp (seconds) of a column, first
// clipped to [low, high], then scaled. Missing stays NaN.
struct NumberTransform {
  uint32_t column = 0;
  NumberScale scale = NumberScale::kIdentity;
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
};

// One feature: 1 where the value is missing, else 0. Any column.
struct MissingFlag {
  uint32_t column = 0;
};

enum class CategoryTableKind : uint8_t {
  kCode = 0,    // an ordinal code, or any order of the categories
  kTarget = 1,  // smoothed target statistics: `width` of them, e.g. one per class
  kCount = 2,   // how often training saw the category, or its logarithm
};

// `width` features looked up by the category's code: values[code * width + j] for the codes
// 0 .. kept_count + 1 of the column's dictionary (the last two rows are other and missing). NaN is
// allowed and means missing.
struct CategoryTable {
  uint32_t column = 0;
  CategoryTableKind kind = CategoryTableKind::kCode;
  uint32_t width = 1;
  std::vector<float> values = {};
};

// `width` features, 1 at the category's code and 0 elsewhere, for the first `width` codes of the
// dictionary (width <= kept_count + 2, which adds other and missing).
struct OneHot {
  uint32_t column = 0;
  uint32_t width = 1;
};

// One feature each, from a date or timestamp in UTC. The sines and cosines run over a whole turn
// per year, week or day.
enum class DatePart : uint8_t {
  kEpochDays = 0,  // days since 1970-01-01, with the fraction of the day
  kYear = 1,
  kMonth = 2,      // 1..12
  kDay = 3,        // 1..31
  kWeekday = 4,    // Monday 0 .. Sunday 6
  kHour = 5,       // 0..23
  kMinute = 6,     // minute of the hour, 0..59
  kDayOfYear = 7,  // 0..365
  kYearSine = 8,
  kYearCosine = 9,
  kWeekSine = 10,
  kWeekCosine = 11,
  kDaySine = 12,
  kDayCosine = 13,
};

struct DateParts {
  uint32_t column = 0;
  std::vector<DatePart> parts = {};
};

enum class PairOperation : uint8_t {
  kDifference = 0,  // left - right; between two dates or timestamps in days
  kSum = 1,
  kProduct = 2,
  kRatio = 3,  // left / right; NaN where right is 0
};

// One feature from two columns that are not text; missing where either is. An explanation gives
// half of its contribution to each column.
struct PairTransform {
  uint32_t left = 0;
  uint32_t right = 0;
  PairOperation operation = PairOperation::kDifference;
};

enum class TokenKind : uint8_t {
  kWords = 0,            // runs of ASCII letters and digits and of bytes above 127, lower case
  kCharacterGrams3 = 1,  // every 3 bytes of the lower-case words, each with a blank on both sides
  kCharacterGrams4 = 2,
};

// `width` features: the TF-IDF weights of tokens. Feature j is count(token j) * idf[j], then the
// row is divided by its Euclidean length where `normalize`. A token's j is its place in
// `vocabulary` (distinct tokens; others are ignored), or hash64(token) % width where that is empty.
// Missing text is NaN in all of them.
struct TextTokens {
  uint32_t column = 0;
  TokenKind kind = TokenKind::kWords;
  uint32_t width = 1;  // vocabulary.size() where there is one
  bool normalize = true;
  std::vector<std::string> vocabulary = {};
  std::vector<float> idf = {};  // `width` values
};

// Two features: the length in bytes and the number of words. Missing is NaN.
struct TextLength {
  uint32_t column = 0;
};

using Transform = std::variant<NumberTransform, MissingFlag, CategoryTable, OneHot, DateParts,
                               PairTransform, TextTokens, TextLength>;

struct PipelineParts {
  std::vector<Dictionary> dictionaries = {};  // at most one per text column
  std::vector<Transform> transforms = {};
};

}  // namespace cromford::model
