#pragma once

// The bytes of profile states: variable-length integers, doubles and counted text, read with every
// bound checked.
//
//   StateWriter out;
//   out.integer(42);
//   StateReader in(out.bytes());
//   const uint64_t n = in.integer();              // 0 after an error
//   if (!in.ok()) { return base::damaged(...); }
//
// Thread safety: values.

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace cromford::table {

class StateWriter {
 public:
  // LEB128.
  void integer(uint64_t value) {
    for (; value >= 0x80; value >>= 7) {
      bytes_.push_back(static_cast<char>(static_cast<uint8_t>(value) | 0x80U));
    }
    bytes_.push_back(static_cast<char>(value));
  }
  void count(int64_t value) { integer(static_cast<uint64_t>(value)); }
  // Eight bytes, little endian.
  void word(uint64_t value) {
    for (int i = 0; i < 8; ++i, value >>= 8) {
      bytes_.push_back(static_cast<char>(value & 0xffU));
    }
  }
  void number(double value) { word(std::bit_cast<uint64_t>(value)); }
  void text(std::string_view value) {
    integer(value.size());
    bytes_.append(value);
  }
  const std::string& bytes() const { return bytes_; }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

class StateReader {
 public:
  explicit StateReader(std::string_view bytes) : rest_(bytes) {}

  uint64_t integer() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) {
        return fail();
      }
      const auto byte = static_cast<uint8_t>(rest_.front());
      rest_.remove_prefix(1);
      value |= uint64_t{byte & 0x7fU} << shift;
      if (byte < 0x80) {
        return value;
      }
    }
    return fail();
  }
  // At most `max`.
  uint64_t integer(uint64_t max) {
    const uint64_t value = integer();
    return value <= max ? value : fail();
  }
  // Not negative, and small enough to be added to others.
  int64_t count() { return static_cast<int64_t>(integer(uint64_t{1} << 48)); }
  uint64_t word() {
    if (rest_.size() < 8) {
      return fail();
    }
    uint64_t value = 0;
    for (size_t i = 8; i-- > 0;) {
      value = (value << 8) | static_cast<uint8_t>(rest_[i]);
    }
    rest_.remove_prefix(8);
    return value;
  }
  double number() { return std::bit_cast<double>(word()); }
  std::string_view text() {
    const uint64_t size = integer(rest_.size());
    if (size > rest_.size()) {
      fail();
      return {};
    }
    const std::string_view value = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return value;
  }
  // Whether at least `items` items of one byte or more can follow.
  bool holds(uint64_t items) {
    if (items > rest_.size()) {
      fail();
    }
    return ok_;
  }

  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && rest_.empty(); }
  uint64_t fail() {
    ok_ = false;
    rest_ = {};
    return 0;
  }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace cromford::table
