#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "table/profile.h"
#include "table/profile_column.h"
#include "table/profile_hash.h"

namespace cromford::table {
namespace {

constexpr size_t kTrackedMax = 2048;
constexpr size_t kTrackedKeep = 256;
// Longer texts are not followed one by one once there are too many to count all.
constexpr size_t kTrackedBytes = 128;
constexpr size_t kExactBytesMax = size_t{256} * 1024;
constexpr size_t kPatternsMax = 128;
constexpr size_t kPatternsKeep = 64;
constexpr size_t kPatternBytes = 32;
constexpr uint64_t kLooksMask = 7;

bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Reads between `least` and `most` digits; false when there are fewer or more.
bool take_digits(std::string_view& text, size_t least, size_t most) {
  size_t digits = 0;
  while (digits < text.size() && is_digit(text[digits])) {
    ++digits;
  }
  text.remove_prefix(digits);
  return digits >= least && digits <= most;
}

bool take_one_of(std::string_view& text, std::string_view allowed, char& taken) {
  if (text.empty() || allowed.find(text.front()) == std::string_view::npos) {
    return false;
  }
  taken = text.front();
  text.remove_prefix(1);
  return true;
}

// "10:30", "10:30:59", whatever follows.
bool begins_with_time(std::string_view text) {
  char colon = 0;
  return take_digits(text, 1, 2) && take_one_of(text, ":", colon) && take_digits(text, 2, 2);
}

// The trimmed length tells blank and padded texts.
size_t trimmed_size(std::string_view text) {
  size_t begin = 0;
  size_t end = text.size();
  while (begin < end && is_space(text[begin])) {
    ++begin;
  }
  while (end > begin && is_space(text[end - 1])) {
    --end;
  }
  return end - begin;
}

}  // namespace

bool looks_like_number(std::string_view text) {
  std::string_view rest = base::trim(text);
  if (!rest.empty() && (rest.front() == '+' || rest.front() == '-')) {
    rest.remove_prefix(1);
  }
  if (!rest.empty() && rest.back() == '%') {
    rest.remove_suffix(1);
  }
  if (rest.empty() || rest.size() > 64 || !(is_digit(rest.front()) || rest.front() == '.')) {
    return false;
  }
  if (base::to_number<double>(rest).has_value()) {
    return true;
  }
  // A decimal comma or groups of thousands.
  const bool other = std::any_of(rest.begin(), rest.end(),
                                 [](char c) { return !is_digit(c) && c != ',' && c != '.'; });
  const auto commas = std::count(rest.begin(), rest.end(), ',');
  const auto points = std::count(rest.begin(), rest.end(), '.');
  return !other && is_digit(rest.back()) && (commas <= 1 || points <= 1);
}

bool looks_like_date(std::string_view text) {
  std::string_view rest = base::trim(text);
  if (begins_with_time(rest)) {
    return true;
  }
  const bool year_first = rest.size() > 4 && std::all_of(rest.begin(), rest.begin() + 4, is_digit);
  char first = 0;
  char second = 0;
  if (!take_digits(rest, year_first ? 4 : 1, year_first ? 4 : 2) ||
      !take_one_of(rest, "-/.", first) || !take_digits(rest, 1, 2) ||
      !take_one_of(rest, "-/.", second) || first != second) {
    return false;
  }
  if (!take_digits(rest, year_first ? 1 : 2, year_first ? 2 : 4)) {
    return false;
  }
  char separator = 0;
  return rest.empty() || (take_one_of(rest, "T ", separator) && begins_with_time(rest));
}

std::string pattern_of(std::string_view text) {
  std::string pattern;
  char last = 0;
  for (const char c : text.substr(0, kPatternBytes)) {
    const auto byte = static_cast<unsigned char>(c);
    char kind = c;
    if (is_digit(c)) {
      kind = '9';
    } else if (c >= 'A' && c <= 'Z') {
      kind = 'A';
    } else if ((c >= 'a' && c <= 'z') || byte >= 0x80) {
      kind = 'a';  // Letters beyond ASCII are not told apart.
    } else if (byte < 0x20) {
      kind = ' ';
    }
    const bool repeats = kind == last && (kind == '9' || kind == 'A' || kind == 'a');
    if (!repeats) {
      pattern.push_back(kind);
    } else if (pattern.back() != '+') {
      pattern.push_back('+');
    }
    last = kind;
  }
  return pattern;
}

void TextLooks::add(std::string_view text, int64_t count) {
  looked_at += count;
  numbers += looks_like_number(text) ? count : 0;
  dates += looks_like_date(text) ? count : 0;
  const std::string pattern = pattern_of(text);
  patterns.add(pattern, profile_hash(std::string_view(pattern)), count);
  if (patterns.size() > kPatternsMax) {
    patterns.reduce(kPatternsKeep);
  }
}

void TextLooks::merge(const TextLooks& other) {
  looked_at += other.looked_at;
  numbers += other.numbers;
  dates += other.dates;
  for (const CountedText& item : other.patterns.sorted()) {
    patterns.add(item.text, profile_hash(item.text), item.count);
  }
  patterns.add_error(other.patterns.error());
  patterns.reduce(kPatternsKeep);
}

void TextLengths::add(std::string_view text, int64_t times) {
  const auto length = static_cast<int64_t>(text.size());
  const size_t trimmed = trimmed_size(text);
  count += times;
  min = std::min(min, length);
  max = std::max(max, length);
  sum += length * times;
  blank += trimmed == 0 ? times : 0;
  padded += trimmed > 0 && trimmed < text.size() ? times : 0;
}

void TextLengths::merge(const TextLengths& other) {
  count += other.count;
  min = std::min(min, other.min);
  max = std::max(max, other.max);
  sum += other.sum;
  blank += other.blank;
  padded += other.padded;
}

TextState::TextState(const TextState& other)
    : missing_(other.missing_),
      present_(other.present_),
      values_(other.values_),
      sketch_(other.sketch_ ? std::make_unique<Sketch>(*other.sketch_) : nullptr) {}

TextState& TextState::operator=(const TextState& other) {
  if (this != &other) {
    *this = TextState(other);
  }
  return *this;
}

void TextState::add(const ColumnView& view, size_t begin, std::span<uint64_t> row_hashes) {
  for (size_t i = 0; i < row_hashes.size(); ++i) {
    uint64_t& row_hash = row_hashes[i];
    if (!view.valid(begin + i)) {
      ++missing_;
      row_hash = combine_hashes(row_hash, kMissingHash);
      continue;
    }
    const std::string_view text = view.texts[begin + i];
    const uint64_t hash = profile_hash(text);
    row_hash = combine_hashes(row_hash, hash);
    add_value(text, hash);
  }
}

inline void TextState::add_value(std::string_view text, uint64_t hash) {
  ++present_;
  if (sketch_ == nullptr) {
    if (values_.bytes() + text.size() <= kExactBytesMax) {
      values_.add(text, hash, 1);
      if (values_.size() > kExactValuesMax) {
        begin_sketch();
      }
      return;
    }
    begin_sketch();
  }
  add_to_sketch(text, hash, 1);
  if (text.size() <= kTrackedBytes) {
    values_.add(text, hash, 1);
    if (values_.size() > kTrackedMax) {
      values_.reduce(kTrackedKeep);
    }
  }
}

void TextState::add_to_sketch(std::string_view text, uint64_t hash, int64_t count) {
  sketch_->distinct.add(distinct_hash(text, hash));
  sketch_->lengths.add(text, count);
  if ((hash & kLooksMask) == 0) {
    sketch_->looks.add(text, count);
  }
}

void TextState::begin_sketch() {
  sketch_ = std::make_unique<Sketch>();
  TextCounter tracked;
  for (const CountedText& item : values_.sorted()) {
    const uint64_t hash = profile_hash(item.text);
    add_to_sketch(item.text, hash, item.count);
    if (item.text.size() <= kTrackedBytes) {
      tracked.add(item.text, hash, item.count);
    }
  }
  tracked.reduce(kTrackedKeep);
  values_ = std::move(tracked);
}

void TextState::merge(const TextState& later) {
  missing_ += later.missing_;
  present_ += later.present_;
  if (exact() && !later.exact()) {
    begin_sketch();
  }
  if (!exact() && !later.exact()) {
    sketch_->distinct.merge(later.sketch_->distinct);
    sketch_->lengths.merge(later.sketch_->lengths);
    sketch_->looks.merge(later.sketch_->looks);
  }
  for (const CountedText& item : later.values_.sorted()) {
    const uint64_t hash = profile_hash(item.text);
    if (!exact() && later.exact()) {
      add_to_sketch(item.text, hash, item.count);
    }
    if (exact() || item.text.size() <= kTrackedBytes) {
      values_.add(item.text, hash, item.count);
    }
  }
  values_.add_error(later.values_.error());
  if (!exact()) {
    values_.reduce(kTrackedKeep);
  } else if (values_.size() > kExactValuesMax || values_.bytes() > kExactBytesMax) {
    begin_sketch();
  }
}

int64_t TextState::distinct() const {
  return exact() ? static_cast<int64_t>(values_.size())
                 : std::min(present_, sketch_->distinct.estimate());
}

TextLengths TextState::lengths() const {
  if (!exact()) {
    return sketch_->lengths;
  }
  TextLengths lengths;
  for (const CountedText& item : values_.sorted()) {
    lengths.add(item.text, item.count);
  }
  return lengths;
}

TextLooks TextState::looks() const {
  if (!exact()) {
    return sketch_->looks;
  }
  TextLooks looks;
  for (const CountedText& item : values_.sorted()) {
    looks.add(item.text, item.count);
  }
  return looks;
}

void TextState::write(StateWriter& out) const {
  out.count(missing_);
  out.count(present_);
  values_.write(out);
  out.integer(exact() ? 0 : 1);
  if (exact()) {
    return;
  }
  sketch_->distinct.write(out);
  const TextLengths& lengths = sketch_->lengths;
  for (const int64_t figure :
       {lengths.min, lengths.max, lengths.sum, lengths.blank, lengths.padded}) {
    out.count(figure);
  }
  const TextLooks& looks = sketch_->looks;
  for (const int64_t figure : {looks.looked_at, looks.numbers, looks.dates}) {
    out.count(figure);
  }
  looks.patterns.write(out);
}

bool TextState::read(StateReader& in) {
  missing_ = in.count();
  present_ = in.count();
  if (!values_.read(in, kExactValuesMax, kExactBytesMax)) {
    return false;
  }
  int64_t counted = 0;
  for (const CountedText& item : values_.sorted()) {
    counted = std::min(counted + item.count, int64_t{1} << 61);
  }
  if (in.integer(1) == 0) {
    if (counted != present_ || values_.error() != 0) {
      in.fail();
    }
    return in.ok();
  }
  sketch_ = std::make_unique<Sketch>();
  if (!sketch_->distinct.read(in)) {
    return false;
  }
  TextLengths& lengths = sketch_->lengths;
  lengths.count = present_;
  for (int64_t* figure :
       {&lengths.min, &lengths.max, &lengths.sum, &lengths.blank, &lengths.padded}) {
    *figure = in.count();
  }
  TextLooks& looks = sketch_->looks;
  for (int64_t* figure : {&looks.looked_at, &looks.numbers, &looks.dates}) {
    *figure = in.count();
  }
  if (!looks.patterns.read(in, kPatternsMax, kPatternsMax * kPatternBytes)) {
    return false;
  }
  if (present_ == 0 || counted > present_ || lengths.min > lengths.max ||
      lengths.blank > present_ || lengths.padded > present_ || looks.looked_at > present_ ||
      looks.numbers > looks.looked_at || looks.dates > looks.looked_at) {
    in.fail();
  }
  return in.ok();
}

}  // namespace cromford::table
