#pragma once

// Little-endian bytes without alignment, for the frames of the log. The reader fails once and for
// good: after the first read that does not fit, every read gives zeros and empty texts, so that a
// record is decoded straight on and checked at its end.
//
//   ByteWriter out(buffer);                   ByteReader in(payload);
//   out.put<uint32_t>(3);                     const auto count = in.get<uint32_t>();
//   out.text("late");                         const std::string_view name = in.text();
//                                             if (!in.finished()) { return damaged(...); }
//
// Thread safety: none.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace cromford::feedback {

static_assert(std::endian::native == std::endian::little, "the log is little-endian");

// Appends to a text that belongs to the caller.
class ByteWriter {
 public:
  explicit ByteWriter(std::string& out) : out_(out) {}

  template <typename T>
  void put(T value) {
    static_assert(std::is_arithmetic_v<T> || std::is_enum_v<T>);
    out_.append(reinterpret_cast<const char*>(&value), sizeof(T));
  }
  // u32 length, then the bytes.
  void text(std::string_view value) {
    put(static_cast<uint32_t>(value.size()));
    out_.append(value);
  }
  void bytes(std::string_view value) { out_.append(value); }

 private:
  std::string& out_;
};

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}

  template <typename T>
  T get() {
    T value{};
    const std::string_view piece = bytes(sizeof(T));
    if (!failed_) {
      std::memcpy(&value, piece.data(), sizeof(T));
    }
    return value;
  }
  std::string_view bytes(size_t count) {
    if (failed_ || count > bytes_.size()) {
      failed_ = true;
      return {};
    }
    const std::string_view piece = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return piece;
  }
  std::string_view text() { return bytes(get<uint32_t>()); }
  // A count of things of which each takes at least `size` bytes; 0 for one that cannot be.
  size_t count(size_t size) {
    const auto value = get<uint32_t>();
    failed_ = failed_ || value > bytes_.size() / size;
    return failed_ ? 0 : value;
  }

  size_t left() const { return bytes_.size(); }
  bool failed() const { return failed_; }
  void fail() { failed_ = true; }
  bool finished() const { return !failed_ && bytes_.empty(); }

 private:
  std::string_view bytes_;
  bool failed_ = false;
};

}  // namespace cromford::feedback
