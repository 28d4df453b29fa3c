#include "table/profile_sketch.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "table/profile_hash.h"

namespace cromford::table {
namespace {

constexpr size_t kSlotsMin = 64;
// After a reduction there is room for this many times the keys that were kept.
constexpr size_t kRoom = 8;

// Twice as many slots as keys, at least.
size_t slots_for(size_t keys) {
  return std::bit_ceil(std::max(kSlotsMin, 2 * keys));
}

unsigned shift_for(size_t slot_count) {
  return 64U - static_cast<unsigned>(std::countr_zero(slot_count));
}

// What Misra and Gries subtract so that at most `keep` counts stay above zero.
template <typename Counted>
int64_t count_to_subtract(const std::vector<Counted>& items, size_t keep) {
  std::vector<int64_t> counts;
  counts.reserve(items.size());
  for (const Counted& item : items) {
    counts.push_back(item.count);
  }
  const auto nth = counts.begin() + static_cast<std::ptrdiff_t>(keep);
  std::nth_element(counts.begin(), nth, counts.end(), std::greater<>());
  return *nth;
}

template <typename Counted>
int64_t subtract(std::vector<Counted>& items, size_t keep) {
  const int64_t less = count_to_subtract(items, keep);
  std::erase_if(items, [less](Counted& item) {
    item.count -= less;
    return item.count <= 0;
  });
  return less;
}

}  // namespace

// --- ValueCounter ---------------------------------------------------------------------------

ValueCounter::ValueCounter() {
  rebuild(kSlotsMin, {});
}

void ValueCounter::rebuild(size_t slot_count, std::span<const CountedKey> keys) {
  if (slots_.size() == slot_count) {
    std::fill(slots_.begin(), slots_.end(), CountedKey{});
  } else {
    slots_ = std::vector<CountedKey>(slot_count);
  }
  mask_ = slot_count - 1;
  shift_ = shift_for(slot_count);
  size_ = keys.size();
  for (const CountedKey& item : keys) {
    size_t slot = profile_hash(item.key) >> shift_;
    while (slots_[slot].count != 0) {
      slot = (slot + 1) & mask_;
    }
    slots_[slot] = item;
  }
}

void ValueCounter::insert(size_t slot, uint64_t key, int64_t count) {
  slots_[slot] = {key, count};
  ++size_;
  if (2 * size_ > slots_.size()) {
    std::vector<CountedKey> keys;
    keys.reserve(size_);
    for_each([&keys](const CountedKey& item) { keys.push_back(item); });
    rebuild(slots_for(size_), keys);
  }
}

std::vector<CountedKey> ValueCounter::sorted() const {
  std::vector<CountedKey> keys;
  keys.reserve(size_);
  for_each([&keys](const CountedKey& item) { keys.push_back(item); });
  std::sort(keys.begin(), keys.end(),
            [](const CountedKey& a, const CountedKey& b) { return a.key < b.key; });
  return keys;
}

void ValueCounter::reduce(size_t keep) {
  if (size_ <= keep) {
    return;
  }
  std::vector<CountedKey> keys;
  keys.reserve(size_);
  for_each([&keys](const CountedKey& item) { keys.push_back(item); });
  error_ += subtract(keys, keep);
  rebuild(slots_for(kRoom * keep), keys);
}

void ValueCounter::keep_if(const std::function<bool(uint64_t)>& wanted) {
  std::vector<CountedKey> keys;
  keys.reserve(size_);
  for_each([&](const CountedKey& item) {
    if (wanted(item.key)) {
      keys.push_back(item);
    }
  });
  rebuild(slots_.size(), keys);
}

void ValueCounter::write(StateWriter& out) const {
  out.integer(size_);
  out.count(error_);
  uint64_t previous = 0;
  for (const CountedKey& item : sorted()) {
    out.integer(item.key - previous);
    out.count(item.count);
    previous = item.key;
  }
}

bool ValueCounter::read(StateReader& in, size_t keys_max) {
  const uint64_t size = in.integer(keys_max);
  error_ = in.count();
  if (!in.holds(size)) {
    return false;
  }
  std::vector<CountedKey> keys;
  keys.reserve(size);
  uint64_t key = 0;
  for (uint64_t i = 0; i < size; ++i) {
    const uint64_t step = in.integer();
    const int64_t count = in.count();
    if (!in.ok() || count == 0 || (i > 0 && (step == 0 || key + step < key))) {
      in.fail();
      return false;
    }
    key += step;
    keys.push_back({key, count});
  }
  rebuild(slots_for(size), keys);
  return in.ok();
}

// --- TextCounter ----------------------------------------------------------------------------

TextCounter::TextCounter() {
  rebuild(kSlotsMin, {});
}

void TextCounter::rebuild(size_t slot_count, std::span<const CountedText> texts) {
  std::string arena;
  slots_ = std::vector<Slot>(slot_count);
  mask_ = slot_count - 1;
  shift_ = shift_for(slot_count);
  size_ = texts.size();
  for (const CountedText& item : texts) {
    const uint64_t hash = profile_hash(item.text);
    size_t slot = hash >> shift_;
    while (slots_[slot].count != 0) {
      slot = (slot + 1) & mask_;
    }
    slots_[slot] = {hash, static_cast<uint32_t>(arena.size()),
                    static_cast<uint32_t>(item.text.size()), item.count};
    arena.append(item.text);
  }
  arena_ = std::move(arena);
}

void TextCounter::grow() {
  const std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(2 * slots_.size()));
  mask_ = slots_.size() - 1;
  shift_ = shift_for(slots_.size());
  for (const Slot& item : old) {
    if (item.count == 0) {
      continue;
    }
    size_t slot = item.hash >> shift_;
    while (slots_[slot].count != 0) {
      slot = (slot + 1) & mask_;
    }
    slots_[slot] = item;
  }
}

// Most texts are short: two words that overlap cost less than a call.
inline bool TextCounter::equals(const Slot& slot, std::string_view text) const {
  using internal_profile_hash::load8;
  using internal_profile_hash::load_few;
  constexpr size_t kWord = sizeof(uint64_t);
  if (slot.length != text.size()) {
    return false;
  }
  const char* const known = arena_.data() + slot.offset;
  if (text.size() > 2 * kWord) {
    return std::memcmp(known, text.data(), text.size()) == 0;
  }
  if (text.size() >= kWord) {
    const size_t last = text.size() - kWord;
    return load8(known) == load8(text.data()) && load8(known + last) == load8(text.data() + last);
  }
  return text.empty() || load_few(known, text.size()) == load_few(text.data(), text.size());
}

void TextCounter::add(std::string_view text, uint64_t hash, int64_t count) {
  size_t slot = hash >> shift_;
  for (; slots_[slot].count != 0; slot = (slot + 1) & mask_) {
    if (slots_[slot].hash == hash && equals(slots_[slot], text)) {
      slots_[slot].count += count;
      return;
    }
  }
  slots_[slot] = {hash, static_cast<uint32_t>(arena_.size()), static_cast<uint32_t>(text.size()),
                  count};
  arena_.append(text);
  ++size_;
  if (2 * size_ > slots_.size()) {
    grow();
  }
}

std::vector<CountedText> TextCounter::sorted() const {
  std::vector<CountedText> texts;
  texts.reserve(size_);
  for (const Slot& slot : slots_) {
    if (slot.count != 0) {
      texts.push_back({view(slot), slot.count});
    }
  }
  std::sort(texts.begin(), texts.end(),
            [](const CountedText& a, const CountedText& b) { return a.text < b.text; });
  return texts;
}

void TextCounter::reduce(size_t keep) {
  if (size_ <= keep) {
    return;
  }
  std::vector<CountedText> texts = sorted();
  error_ += subtract(texts, keep);
  rebuild(slots_for(kRoom * keep), texts);
}

void TextCounter::write(StateWriter& out) const {
  out.integer(size_);
  out.count(error_);
  for (const CountedText& item : sorted()) {
    out.text(item.text);
    out.count(item.count);
  }
}

bool TextCounter::read(StateReader& in, size_t keys_max, size_t bytes_max) {
  const uint64_t size = in.integer(keys_max);
  error_ = in.count();
  if (!in.holds(size)) {
    return false;
  }
  std::vector<CountedText> texts;
  texts.reserve(size);
  size_t bytes = 0;
  for (uint64_t i = 0; i < size; ++i) {
    const std::string_view text = in.text();
    const int64_t count = in.count();
    bytes += text.size();
    if (!in.ok() || count == 0 || bytes > bytes_max || (i > 0 && text <= texts.back().text)) {
      in.fail();
      return false;
    }
    texts.push_back({text, count});
  }
  rebuild(slots_for(size), texts);
  return in.ok();
}

// --- DistinctSketch -------------------------------------------------------------------------

namespace {

double ertl_sigma(double x) {
  if (x == 1.0) {
    return INFINITY;
  }
  double y = 1;
  double z = x;
  for (double previous = -1; z != previous;) {
    x *= x;
    previous = z;
    z += x * y;
    y += y;
  }
  return z;
}

double ertl_tau(double x) {
  if (x == 0.0 || x == 1.0) {
    return 0;
  }
  double y = 1;
  double z = 1 - x;
  for (double previous = -1; z != previous;) {
    x = std::sqrt(x);
    previous = z;
    y *= 0.5;
    z -= (1 - x) * (1 - x) * y;
  }
  return z / 3;
}

}  // namespace

void DistinctSketch::merge(const DistinctSketch& other) {
  for (size_t i = 0; i < kRegisters; ++i) {
    registers_[i] = std::max(registers_[i], other.registers_[i]);
  }
}

int64_t DistinctSketch::estimate() const {
  constexpr auto m = static_cast<double>(kRegisters);
  std::array<int, kRankMax + 1> histogram{};
  for (const uint8_t rank : registers_) {
    ++histogram[rank];
  }
  double z = m * ertl_tau(1 - histogram[kRankMax] / m);
  for (size_t rank = kRankMax - 1; rank >= 1; --rank) {
    z = 0.5 * (z + histogram[rank]);
  }
  z += m * ertl_sigma(histogram[0] / m);
  constexpr double kAlpha = 0.721347520444481703680;  // 1 / (2 ln 2)
  return std::llround(kAlpha * m * m / z);
}

void DistinctSketch::write(StateWriter& out) const {
  std::string packed;  // Six bits each.
  uint32_t bits = 0;
  unsigned held = 0;
  for (const uint8_t rank : registers_) {
    bits |= uint32_t{rank} << held;
    for (held += 6; held >= 8; held -= 8, bits >>= 8) {
      packed.push_back(static_cast<char>(bits & 0xffU));
    }
  }
  out.text(packed);
}

bool DistinctSketch::read(StateReader& in) {
  const std::string_view packed = in.text();
  if (packed.size() != kRegisters * 6 / 8) {
    in.fail();
    return false;
  }
  uint32_t bits = 0;
  unsigned held = 0;
  size_t next = 0;
  for (uint8_t& rank : registers_) {
    if (held < 6) {
      bits |= uint32_t{static_cast<uint8_t>(packed[next++])} << held;
      held += 8;
    }
    rank = static_cast<uint8_t>(bits & 63U);
    bits >>= 6;
    held -= 6;
    if (rank > kRankMax) {
      in.fail();
      return false;
    }
  }
  return true;
}

// --- QuantileSketch -------------------------------------------------------------------------

size_t QuantileSketch::capacity(size_t level) const {
  // kAccuracy * (2/3)^depth, by whole numbers so that it is the same everywhere.
  static constexpr std::array<size_t, 10> kByDepth = {kAccuracy, 400, 267, 178, 119,
                                                      79,        53,  35,  23,  16};
  const size_t depth = highest_ > level ? highest_ - level : 0;
  return kByDepth[std::min(depth, kByDepth.size() - 1)];
}

uint64_t QuantileSketch::coin() {
  return profile_hash(++coins_);
}

void QuantileSketch::end_group() {
  push(kGroupLevel, group_value_);
  group_position_ = 0;
  chosen_ = static_cast<uint32_t>(coin() % kGroup);
}

void QuantileSketch::push(size_t level, double value) {
  if (level >= levels_.size()) {
    levels_.resize(level + 1);
    highest_ = level;
  }
  levels_[level].push_back(value);
  if (levels_[level].size() >= capacity(level) && level + 1 < kLevelsMax) {
    compact(level);
  }
}

void QuantileSketch::compact(size_t level) {
  std::vector<double> values;
  values.swap(levels_[level]);
  std::sort(values.begin(), values.end());
  const size_t even = values.size() / 2 * 2;
  if (even < values.size()) {
    levels_[level].push_back(values.back());
  }
  for (size_t i = coin() & 1U; i < even; i += 2) {
    push(level + 1, values[i]);
  }
}

void QuantileSketch::add_weighted(double value, int64_t count) {
  const auto weight = static_cast<uint64_t>(count);
  for (size_t level = 0; level < kLevelsMax; ++level) {
    if (((weight >> level) & 1U) != 0) {
      push(level, value);
    }
  }
}

void QuantileSketch::merge(const QuantileSketch& other) {
  coins_ += other.coins_;
  for (size_t level = 0; level < other.levels_.size(); ++level) {
    for (const double value : other.levels_[level]) {
      push(level, value);
    }
  }
  if (other.group_position_ > 0) {
    add_weighted(other.group_value_, other.group_position_);
  }
}

void QuantileSketch::scale(double factor) {
  for (std::vector<double>& level : levels_) {
    for (double& value : level) {
      value *= factor;
    }
  }
  group_value_ *= factor;
}

std::vector<WeightedNumber> QuantileSketch::items() const {
  std::vector<WeightedNumber> all;
  for (size_t level = 0; level < levels_.size(); ++level) {
    for (const double value : levels_[level]) {
      all.push_back({value, int64_t{1} << level});
    }
  }
  if (group_position_ > 0) {
    all.push_back({group_value_, group_position_});
  }
  std::sort(all.begin(), all.end(),
            [](const WeightedNumber& a, const WeightedNumber& b) { return a.value < b.value; });
  std::vector<WeightedNumber> merged;
  for (const WeightedNumber& item : all) {
    if (!merged.empty() && merged.back().value == item.value) {
      merged.back().weight += item.weight;
    } else {
      merged.push_back(item);
    }
  }
  return merged;
}

int64_t QuantileSketch::count() const {
  int64_t total = group_position_;
  for (size_t level = 0; level < levels_.size(); ++level) {
    total += static_cast<int64_t>(levels_[level].size()) << level;
  }
  return total;
}

void QuantileSketch::write(StateWriter& out) const {
  out.integer(coins_);
  out.integer(group_position_);
  out.integer(chosen_);
  out.number(group_value_);
  out.integer(levels_.size());
  for (const std::vector<double>& level : levels_) {
    out.integer(level.size());
    for (const double value : level) {
      out.number(value);
    }
  }
}

bool QuantileSketch::read(StateReader& in) {
  coins_ = in.integer();
  group_position_ = static_cast<uint32_t>(in.integer(kGroup - 1));
  chosen_ = static_cast<uint32_t>(in.integer(kGroup - 1));
  group_value_ = in.number();
  levels_.resize(in.integer(kLevelsMax));
  highest_ = levels_.empty() ? 0 : levels_.size() - 1;
  bool finite = std::isfinite(group_value_);
  double weight = group_position_;
  for (size_t level = 0; level < levels_.size(); ++level) {
    const uint64_t size = in.integer(kAccuracy);
    if (!in.holds(8 * size)) {
      break;
    }
    for (uint64_t i = 0; i < size; ++i) {
      levels_[level].push_back(in.number());
      finite = finite && std::isfinite(levels_[level].back());
    }
    weight += std::ldexp(static_cast<double>(size), static_cast<int>(level));
  }
  if (!finite || weight > std::ldexp(1.0, 61)) {
    in.fail();
  }
  return in.ok();
}

// --- RowSample ------------------------------------------------------------------------------

void RowSample::insert(uint64_t hash, int64_t count) {
  rows_.add(hash, profile_hash(hash), count);
  while (rows_.size() > kHashesMax && level_ < kLevelMax) {
    raise_level();
  }
}

void RowSample::add_all(std::span<const uint64_t> hashes) {
  // The table is larger than the nearest caches.
  constexpr size_t kAhead = 12;
  for (size_t i = 0; i < hashes.size(); ++i) {
    if (i + kAhead < hashes.size()) {
      rows_.prefetch(profile_hash(hashes[i + kAhead]));
    }
    add(hashes[i]);
  }
}

void RowSample::raise_level() {
  ++level_;
  level_mask_ = (uint64_t{1} << level_) - 1;
  rows_.keep_if([this](uint64_t hash) { return (hash & level_mask_) == 0; });
}

void RowSample::raise_to(unsigned level) {
  while (level_ < std::min(level, kLevelMax)) {
    raise_level();
  }
}

void RowSample::merge(const RowSample& other) {
  raise_to(other.level_);
  other.rows_.for_each([this](const CountedKey& row) { add(row.key, row.count); });
}

int64_t RowSample::repeated() const {
  int64_t repeated = 0;
  rows_.for_each([&](const CountedKey& row) { repeated += row.count - 1; });
  return repeated << level_;
}

void RowSample::write(StateWriter& out) const {
  RowSample small = *this;
  while (small.rows_.size() > kStoredMax && small.level_ < kLevelMax) {
    small.raise_level();
  }
  out.integer(small.level_);
  small.rows_.write(out);
}

bool RowSample::read(StateReader& in) {
  level_ = static_cast<unsigned>(in.integer(kLevelMax));
  level_mask_ = (uint64_t{1} << level_) - 1;
  if (!rows_.read(in, kStoredMax)) {
    return false;
  }
  int64_t total = 0;
  rows_.for_each([&](const CountedKey& row) {
    if ((row.key & level_mask_) != 0) {
      in.fail();
    }
    total = std::min(total + row.count, int64_t{1} << 61);
  });
  if (total > (int64_t{1} << 60) >> level_) {
    in.fail();
  }
  return in.ok();
}

}  // namespace cromford::table
