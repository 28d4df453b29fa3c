#pragma once

// Little-endian bytes with natural alignment: the writer and the checked reader of package
// sections. The reader fails once and for good: after the first read that does not fit, every read
// gives zeros and empty spans, so that a section is decoded straight on and checked at its end.
//
//   ByteWriter out;                          ByteReader in(out.bytes());
//   out.put<uint32_t>(3);                    const auto count = in.get<uint32_t>();
//   out.array<float>(values);                std::span<const float> values =
//   in.array<float>(count);
//                                            if (!in.finished()) { return damaged(...); }
//
// Thread safety: none.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace cromford::model {

static_assert(std::endian::native == std::endian::little,
              "packages are mapped as they are, little-endian");

class ByteWriter {
 public:
  template <typename T>
  void put(T value) {
    static_assert(std::is_arithmetic_v<T> || std::is_enum_v<T>);
    align(sizeof(T));
    append(&value, sizeof(T));
  }

  // Values without a count.
  template <typename T>
  void array(std::span<const T> values) {
    static_assert(std::is_trivially_copyable_v<T>);
    align(alignof(T));
    append(values.data(), values.size_bytes());
  }

  // u32 length, then the bytes.
  void text(std::string_view value) {
    put(static_cast<uint32_t>(value.size()));
    append(value.data(), value.size());
  }

  // Zeros up to the next multiple of `alignment`.
  void align(size_t alignment) {
    bytes_.resize((bytes_.size() + alignment - 1) / alignment * alignment);
  }

  std::span<const std::byte> bytes() const { return bytes_; }
  std::vector<std::byte> take() { return std::exchange(bytes_, {}); }

 private:
  void append(const void* data, size_t size) {
    if (size > 0) {
      const size_t start = bytes_.size();
      bytes_.resize(start + size);
      std::memcpy(bytes_.data() + start, data, size);
    }
  }

  std::vector<std::byte> bytes_;
};

class ByteReader {
 public:
  // `bytes` begins at a multiple of 8.
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  template <typename T>
  T get() {
    static_assert(std::is_arithmetic_v<T>);
    T value{};
    align(sizeof(T));
    if (fits(sizeof(T))) {
      std::memcpy(&value, bytes_.data() + position_, sizeof(T));
      position_ += sizeof(T);
    }
    return value;
  }

  // A view of `count` values.
  template <typename T>
  std::span<const T> array(size_t count) {
    static_assert(std::is_trivially_copyable_v<T>);
    align(alignof(T));
    if (count > (bytes_.size() - position_) / sizeof(T)) {
      fail();
    }
    if (failed_ || count == 0) {
      return {};
    }
    const auto* data = reinterpret_cast<const T*>(bytes_.data() + position_);
    position_ += count * sizeof(T);
    return {data, count};
  }

  std::string_view text() {
    const auto characters = array<char>(get<uint32_t>());
    return {characters.data(), characters.size()};
  }

  // A u32 that counts things of at least `bytes_each` bytes, all of which still lie ahead: what is
  // read from it may be reserved.
  uint32_t count(size_t bytes_each) {
    const auto value = get<uint32_t>();
    if (value > (bytes_.size() - position_) / bytes_each) {
      fail();
    }
    return failed_ ? 0 : value;
  }

  // Skips padding, which must be zero.
  void align(size_t alignment) {
    while (!failed_ && position_ % alignment != 0) {
      if (!fits(1)) {
        return;
      }
      if (bytes_[position_] != std::byte{0}) {
        fail();
      }
      ++position_;
    }
  }

  void fail() { failed_ = true; }
  bool ok() const { return !failed_; }
  // Whether everything was read, and all of it fitted.
  bool finished() const { return !failed_ && position_ == bytes_.size(); }

 private:
  bool fits(size_t size) {
    if (size > bytes_.size() - position_) {
      fail();
    }
    return !failed_;
  }

  std::span<const std::byte> bytes_;
  size_t position_ = 0;
  bool failed_ = false;
};

}  // namespace cromford::model
