#include "table/profile_column.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "table/profile.h"
#include "table/profile_hash.h"

namespace cromford::table {
namespace {

// Beyond the exact counts, this many values are followed, and this many kept when room is made.
constexpr size_t kTrackedMax = 2048;
constexpr size_t kTrackedKeep = 256;
constexpr uint64_t kSignBit = uint64_t{1} << 63;
constexpr int64_t kMicrosecondsPerDay = 86'400'000'000;

// The keys of the cells [begin, begin + keys.size()).
void load_keys(const ColumnView& view, size_t begin, std::span<uint64_t> keys) {
  switch (view.type) {
    case ColumnType::kNumber:
      for (size_t i = 0; i < keys.size(); ++i) {
        keys[i] = key_of_number(view.numbers[begin + i]);
      }
      break;
    case ColumnType::kDate:
      for (size_t i = 0; i < keys.size(); ++i) {
        keys[i] = key_of_integer(view.days[begin + i]);
      }
      break;
    case ColumnType::kBoolean:
      for (size_t i = 0; i < keys.size(); ++i) {
        keys[i] = key_of_integer(view.booleans[begin + i] != 0 ? 1 : 0);
      }
      break;
    default:
      for (size_t i = 0; i < keys.size(); ++i) {
        keys[i] = key_of_integer(view.integers[begin + i]);
      }
  }
}

// The key of a number that is not finite lies outside of these.
bool is_finite_key(uint64_t key) {
  static const uint64_t kLowest = key_of_number(-std::numeric_limits<double>::max());
  static const uint64_t kHighest = key_of_number(std::numeric_limits<double>::max());
  return key >= kLowest && key <= kHighest;
}

}  // namespace

// --- moments --------------------------------------------------------------------------------

void Moments::merge(const Moments& other) {
  if (other.count == 0) {
    return;
  }
  if (count == 0) {
    *this = other;
    return;
  }
  const auto n1 = static_cast<double>(count);
  const auto n2 = static_cast<double>(other.count);
  const double n = n1 + n2;
  const double delta = other.mean - mean;
  const double step = delta / n;
  m3 += other.m3 + delta * step * step * n1 * n2 * (n1 - n2) + 3 * step * (n1 * other.m2 - n2 * m2);
  m2 += other.m2 + delta * step * n1 * n2;
  mean += step * n2;
  count += other.count;
}

Moments moments_of(std::span<const WeightedNumber> items) {
  Moments result;
  double sum = 0;
  for (const WeightedNumber& item : items) {
    result.count += item.weight;
    sum += item.value * static_cast<double>(item.weight);
  }
  if (result.count == 0) {
    return result;
  }
  result.mean = sum / static_cast<double>(result.count);
  for (const WeightedNumber& item : items) {
    const double deviation = item.value - result.mean;
    const double square = deviation * deviation * static_cast<double>(item.weight);
    result.m2 += square;
    result.m3 += square * deviation;
  }
  return result;
}

// --- keys -----------------------------------------------------------------------------------

uint64_t key_of_integer(int64_t value) {
  return static_cast<uint64_t>(value) ^ kSignBit;
}

uint64_t key_of_number(double value) {
  const auto bits = std::bit_cast<uint64_t>(value + 0.0);  // -0 becomes 0.
  return (bits & kSignBit) != 0 ? ~bits : bits | kSignBit;
}

int64_t integer_of_key(uint64_t key) {
  return static_cast<int64_t>(key ^ kSignBit);
}

double number_of_key(uint64_t key) {
  return std::bit_cast<double>((key & kSignBit) != 0 ? key ^ kSignBit : ~key);
}

uint64_t distinct_hash(ColumnType type, uint64_t key) {
  constexpr double kWholeMax = 9e18;  // Casts to integers without overflow.
  if (type == ColumnType::kNumber) {
    const double value = number_of_key(key);
    if (std::abs(value) < kWholeMax && value == std::trunc(value)) {
      return profile_hash(key_of_integer(static_cast<int64_t>(value)));
    }
  } else if (type == ColumnType::kTimestamp && integer_of_key(key) % kMicrosecondsPerDay == 0) {
    return profile_hash(key_of_integer(integer_of_key(key) / kMicrosecondsPerDay));
  }
  return profile_hash(key);
}

// --- NumberState ----------------------------------------------------------------------------

NumberState::NumberState(ColumnType type) : type_(type) {}

NumberState::NumberState(const NumberState& other)
    : type_(other.type_),
      missing_(other.missing_),
      present_(other.present_),
      values_(other.values_),
      sketch_(other.sketch_ ? std::make_unique<Sketch>(*other.sketch_) : nullptr) {}

NumberState& NumberState::operator=(const NumberState& other) {
  if (this != &other) {
    *this = NumberState(other);
  }
  return *this;
}

double NumberState::value_of(uint64_t key) const {
  return type_ == ColumnType::kNumber ? number_of_key(key)
                                      : static_cast<double>(integer_of_key(key));
}

void NumberState::add(const ColumnView& view, size_t begin, std::span<uint64_t> row_hashes) {
  constexpr size_t kPiece = 512;
  std::array<uint64_t, kPiece> keys;
  std::array<uint64_t, kPiece> hashes;
  const bool may_be_infinite = type_ == ColumnType::kNumber;
  for (size_t start = 0; start < row_hashes.size(); start += kPiece) {
    const size_t size = std::min(kPiece, row_hashes.size() - start);
    load_keys(view, begin + start, std::span(keys).first(size));
    for (size_t i = 0; i < size; ++i) {
      hashes[i] = profile_hash(keys[i]);
    }
    for (size_t i = 0; i < size; ++i) {
      uint64_t& row_hash = row_hashes[start + i];
      if (!view.valid(begin + start + i) || (may_be_infinite && !is_finite_key(keys[i]))) {
        ++missing_;
        row_hash = combine_hashes(row_hash, kMissingHash);
        continue;
      }
      row_hash = combine_hashes(row_hash, hashes[i]);
      add_value(keys[i], hashes[i]);
    }
  }
}

inline void NumberState::add_value(uint64_t key, uint64_t hash) {
  ++present_;
  values_.add(key, hash, 1);
  if (sketch_ != nullptr) {
    add_to_sketch(key, hash);
    if (values_.size() > kTrackedMax) {
      values_.reduce(kTrackedKeep);
    }
  } else if (values_.size() > kExactValuesMax) {
    begin_sketch();
  }
}

inline void NumberState::add_to_sketch(uint64_t key, uint64_t hash) {
  Sketch& sketch = *sketch_;
  const double value = value_of(key);
  const bool grows = type_ == ColumnType::kNumber || type_ == ColumnType::kTimestamp;
  sketch.distinct.add(grows ? distinct_hash(type_, key) : hash);
  sketch.quantiles.add(value);
  const double deviation = value - sketch.shift;
  const double square = deviation * deviation;
  ++sketch.count;
  sketch.sum1 += deviation;
  sketch.sum2 += square;
  sketch.sum3 += square * deviation;
  sketch.key_min = std::min(sketch.key_min, key);
  sketch.key_max = std::max(sketch.key_max, key);
  sketch.zero += value == 0 ? 1 : 0;
  sketch.negative += value < 0 ? 1 : 0;
}

void NumberState::add_counted(std::span<const CountedKey> keys) {
  std::vector<WeightedNumber> items;
  items.reserve(keys.size());
  for (const CountedKey& item : keys) {
    const double value = value_of(item.key);
    items.push_back({value, item.count});
    sketch_->distinct.add(distinct_hash(type_, item.key));
    sketch_->quantiles.add_weighted(value, item.count);
    sketch_->zero += value == 0 ? item.count : 0;
    sketch_->negative += value < 0 ? item.count : 0;
    sketch_->key_min = std::min(sketch_->key_min, item.key);
    sketch_->key_max = std::max(sketch_->key_max, item.key);
  }
  sketch_->moments.merge(moments_of(items));
}

void NumberState::begin_sketch() {
  sketch_ = std::make_unique<Sketch>();
  add_counted(values_.sorted());
  sketch_->shift = sketch_->moments.mean;
  values_.reduce(kTrackedKeep);
}

Moments NumberState::Sketch::all_moments() const {
  Moments all = moments;
  if (count > 0) {
    const auto n = static_cast<double>(count);
    const double mean1 = sum1 / n;
    const double m2 = std::max(0.0, sum2 - n * mean1 * mean1);
    const double m3 = sum3 - 3 * mean1 * sum2 + 2 * n * mean1 * mean1 * mean1;
    all.merge({count, shift + mean1, m2, m3});
  }
  return all;
}

void NumberState::merge(const NumberState& later) {
  missing_ += later.missing_;
  present_ += later.present_;
  if (exact() && !later.exact()) {
    begin_sketch();
  }
  if (!exact()) {
    if (later.exact()) {
      add_counted(later.values_.sorted());
    } else {
      const Sketch& other = *later.sketch_;
      sketch_->distinct.merge(other.distinct);
      sketch_->quantiles.merge(other.quantiles);
      sketch_->moments = sketch_->all_moments();
      sketch_->count = 0;
      sketch_->shift = sketch_->moments.mean;
      sketch_->sum1 = sketch_->sum2 = sketch_->sum3 = 0;
      sketch_->moments.merge(other.all_moments());
      sketch_->key_min = std::min(sketch_->key_min, other.key_min);
      sketch_->key_max = std::max(sketch_->key_max, other.key_max);
      sketch_->zero += other.zero;
      sketch_->negative += other.negative;
    }
  }
  later.values_.for_each([this](const CountedKey& item) {
    values_.add(item.key, profile_hash(item.key), item.count);
  });
  values_.add_error(later.values_.error());
  if (!exact()) {
    values_.reduce(kTrackedKeep);
  } else if (values_.size() > kExactValuesMax) {
    begin_sketch();
  }
}

int64_t NumberState::distinct() const {
  return exact() ? static_cast<int64_t>(values_.size())
                 : std::min(present_, sketch_->distinct.estimate());
}

std::vector<WeightedNumber> NumberState::exact_items() const {
  std::vector<WeightedNumber> items;
  items.reserve(values_.size());
  for (const CountedKey& item : values_.sorted()) {
    items.push_back({value_of(item.key), item.count});
  }
  return items;
}

std::vector<WeightedNumber> NumberState::items() const {
  return exact() ? exact_items() : sketch_->quantiles.items();
}

Moments NumberState::moments() const {
  return exact() ? moments_of(exact_items()) : sketch_->all_moments();
}

double NumberState::min() const {
  return exact() ? exact_items().front().value : value_of(sketch_->key_min);
}

double NumberState::max() const {
  return exact() ? exact_items().back().value : value_of(sketch_->key_max);
}

int64_t NumberState::zero() const {
  if (!exact()) {
    return sketch_->zero;
  }
  int64_t total = 0;
  for (const WeightedNumber& item : exact_items()) {
    total += item.value == 0 ? item.weight : 0;
  }
  return total;
}

int64_t NumberState::negative() const {
  if (!exact()) {
    return sketch_->negative;
  }
  int64_t total = 0;
  for (const WeightedNumber& item : exact_items()) {
    total += item.value < 0 ? item.weight : 0;
  }
  return total;
}

void NumberState::write(StateWriter& out) const {
  out.count(missing_);
  out.count(present_);
  values_.write(out);
  out.integer(exact() ? 0 : 1);
  if (exact()) {
    return;
  }
  sketch_->distinct.write(out);
  sketch_->quantiles.write(out);
  const Moments all = sketch_->all_moments();
  out.number(all.mean);
  out.number(all.m2);
  out.number(all.m3);
  out.word(sketch_->key_min);
  out.word(sketch_->key_max);
  out.count(sketch_->zero);
  out.count(sketch_->negative);
}

bool NumberState::read(StateReader& in) {
  missing_ = in.count();
  present_ = in.count();
  if (!values_.read(in, kExactValuesMax)) {
    return false;
  }
  int64_t counted = 0;
  bool finite = true;
  values_.for_each([&](const CountedKey& item) {
    counted = std::min(counted + item.count, int64_t{1} << 61);
    finite = finite && (type_ != ColumnType::kNumber || is_finite_key(item.key));
  });
  if (in.integer(1) == 0) {
    if (counted != present_ || !finite || values_.error() != 0) {
      in.fail();
    }
    return in.ok();
  }
  sketch_ = std::make_unique<Sketch>();
  if (!sketch_->distinct.read(in) || !sketch_->quantiles.read(in)) {
    return false;
  }
  Moments& moments = sketch_->moments;
  moments.count = present_;
  moments.mean = in.number();
  moments.m2 = in.number();
  moments.m3 = in.number();
  sketch_->shift = moments.mean;
  sketch_->key_min = in.word();
  sketch_->key_max = in.word();
  sketch_->zero = in.count();
  sketch_->negative = in.count();
  const bool in_order = sketch_->key_min <= sketch_->key_max &&
                        (type_ != ColumnType::kNumber ||
                         (is_finite_key(sketch_->key_min) && is_finite_key(sketch_->key_max)));
  if (!finite || !in_order || present_ == 0 || counted > present_ ||
      sketch_->quantiles.count() != present_ || sketch_->zero > present_ ||
      sketch_->negative > present_) {
    in.fail();
  }
  return in.ok();
}

}  // namespace cromford::table
