#pragma once

// What a profile remembers of one column while rows go by. Both kinds of column begin with exact
// counts of every value, from which everything else follows; when there are too many values they
// go over to sketches (table/profile_sketch.h).
//
//   NumberState state(ColumnType::kInteger);
//   state.add(view, 0, chunk.row_count(), row_hashes);     // also folds the cells into the rows
//   state.merge(later);
//
// Thread safety: values; each belongs to one thread.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "table/chunk.h"
#include "table/profile_codec.h"
#include "table/profile_sketch.h"
#include "table/table.h"

namespace cromford::table {

// Count, mean and central moments, merged as by Pébay (Sandia report SAND2008-6212).
struct Moments {
  int64_t count = 0;
  double mean = 0;
  double m2 = 0;  // Sum of squared deviations.
  double m3 = 0;  // Sum of cubed deviations.

  void merge(const Moments& other);
};
Moments moments_of(std::span<const WeightedNumber> items);

// A cell as an unsigned number that sorts as the cells do.
uint64_t key_of_integer(int64_t value);
uint64_t key_of_number(double value);
int64_t integer_of_key(uint64_t key);
double number_of_key(uint64_t key);

// What distinct counts see of a value: the same for a whole number as integer and as number, and
// for a day as date and as timestamp, so that a column whose type grows counts no value twice.
uint64_t distinct_hash(ColumnType type, uint64_t key);
// Of a text, whose `profile_hash` is given: the one of the value that it is written of.
uint64_t distinct_hash(std::string_view text, uint64_t hash);

// Booleans, integers, numbers, dates and timestamps.
class NumberState {
 public:
  explicit NumberState(ColumnType type);
  NumberState(const NumberState& other);
  NumberState& operator=(const NumberState& other);
  NumberState(NumberState&&) noexcept = default;
  NumberState& operator=(NumberState&&) noexcept = default;

  // Adds rows [begin, begin + row_hashes.size()) of `view`.
  void add(const ColumnView& view, size_t begin, std::span<uint64_t> row_hashes);
  void merge(const NumberState& later);
  void add_missing(int64_t count) { missing_ += count; }
  // The same values as a column of the type `to`: boolean as integer or number, integer as number,
  // date as timestamp. nullopt for other pairs.
  std::optional<NumberState> widened(ColumnType to) const;

  ColumnType type() const { return type_; }
  int64_t missing() const { return missing_; }
  int64_t present() const { return present_; }
  bool exact() const { return sketch_ == nullptr; }
  int64_t distinct() const;
  double value_of(uint64_t key) const;
  // The values and how often they occur, ascending; a sample with weights unless exact.
  std::vector<WeightedNumber> items() const;
  Moments moments() const;
  // Of at least one value.
  double min() const;
  double max() const;
  int64_t zero() const;
  int64_t negative() const;
  const ValueCounter& values() const { return values_; }

  void write(StateWriter& out) const;
  bool read(StateReader& in);

 private:
  friend class TextState;
  struct Sketch {
    DistinctSketch distinct;
    QuantileSketch quantiles;
    Moments moments;
    // Sums of powers of value - shift, for what `moments` does not hold yet.
    int64_t count = 0;
    double shift = 0;
    double sum1 = 0;
    double sum2 = 0;
    double sum3 = 0;
    uint64_t key_min = UINT64_MAX;
    uint64_t key_max = 0;
    int64_t zero = 0;
    int64_t negative = 0;

    Moments all_moments() const;
  };
  void add_value(uint64_t key, uint64_t hash);
  void add_to_sketch(uint64_t key, uint64_t hash);
  void add_counted(std::span<const CountedKey> keys);
  void begin_sketch();
  std::vector<WeightedNumber> exact_items() const;

  ColumnType type_;
  int64_t missing_ = 0;
  int64_t present_ = 0;
  ValueCounter values_;
  std::unique_ptr<Sketch> sketch_;
};

// What texts look like.
struct TextLooks {
  int64_t looked_at = 0;
  int64_t numbers = 0;
  int64_t dates = 0;
  TextCounter patterns;

  void add(std::string_view text, int64_t count);
  void merge(const TextLooks& other);
};

struct TextLengths {
  int64_t count = 0;
  int64_t min = INT64_MAX;
  int64_t max = 0;
  int64_t sum = 0;
  int64_t blank = 0;
  int64_t padded = 0;

  void add(std::string_view text, int64_t times);
  void merge(const TextLengths& other);
};

class TextState {
 public:
  TextState() = default;
  TextState(const TextState& other);
  TextState& operator=(const TextState& other);
  TextState(TextState&&) noexcept = default;
  TextState& operator=(TextState&&) noexcept = default;

  void add(const ColumnView& view, size_t begin, std::span<uint64_t> row_hashes);
  void merge(const TextState& later);
  void add_missing(int64_t count) { missing_ += count; }
  // The same values as texts; lengths and looks are estimates beyond exact counts.
  static TextState from_numbers(const NumberState& numbers);

  int64_t missing() const { return missing_; }
  int64_t present() const { return present_; }
  bool exact() const { return sketch_ == nullptr; }
  int64_t distinct() const;
  const TextCounter& values() const { return values_; }
  TextLengths lengths() const;
  TextLooks looks() const;

  void write(StateWriter& out) const;
  bool read(StateReader& in);

 private:
  struct Sketch {
    DistinctSketch distinct;
    TextLengths lengths;
    TextLooks looks;  // Of the values with a hash that divides by 8.
  };
  void add_value(std::string_view text, uint64_t hash);
  void add_to_sketch(std::string_view text, uint64_t hash, int64_t count);
  void begin_sketch();

  int64_t missing_ = 0;
  int64_t present_ = 0;
  TextCounter values_;
  std::unique_ptr<Sketch> sketch_;
};

// The shape of a text: see TextPattern in table/profile.h.
std::string pattern_of(std::string_view text);
bool looks_like_number(std::string_view text);
bool looks_like_date(std::string_view text);

}  // namespace cromford::table
