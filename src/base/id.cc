#include "base/id.h"

#include <algorithm>
#include <array>

namespace cromford::base {
namespace {

constexpr std::string_view kDigits = "0123456789abcdefghjkmnpqrstvwxyz";
constexpr size_t kLength = 26;

}  // namespace

IdSource::IdSource(Clock& clock, Entropy& entropy) : clock_(clock), entropy_(entropy) {}

std::string IdSource::next() {
  std::string text;
  append(text);
  return text;
}

void IdSource::append(std::string& out) {
  const std::lock_guard lock(mutex_);
  const auto since_epoch = std::chrono::floor<std::chrono::milliseconds>(clock_.now());
  const auto now_ms =
      static_cast<uint64_t>(std::max<int64_t>(since_epoch.time_since_epoch().count(), 0));
  if (now_ms > last_ms_) {
    last_ms_ = now_ms;
    std::array<std::byte, 10> bytes{};
    entropy_.fill(bytes);
    high_ = 0;
    low_ = 0;
    for (size_t i = 0; i < 2; ++i) {
      high_ = high_ << 8U | static_cast<uint64_t>(bytes[i]);
    }
    for (size_t i = 2; i < bytes.size(); ++i) {
      low_ = low_ << 8U | static_cast<uint64_t>(bytes[i]);
    }
  } else if (++low_ == 0 && ++high_ == 1U << 16U) {
    high_ = 0;
    ++last_ms_;
  }

  // 130 bits in 26 digits of 5 bits: 2 zero bits, 48 of time, 16 and 64 of the random part.
  const uint64_t upper = (last_ms_ & 0xffff'ffff'ffffU) << 16U | high_;
  for (size_t i = 0; i < kLength; ++i) {
    const auto bit = static_cast<unsigned>(5 * (kLength - 1 - i));  // of the digit's lowest bit
    uint64_t digit = 0;
    if (bit >= 64) {
      digit = upper >> (bit - 64U);
    } else {
      digit = low_ >> bit;
      digit |= bit > 59 ? upper << (64U - bit) : 0;
    }
    out += kDigits[digit & 31U];
  }
}

bool is_id(std::string_view text) {
  return text.size() == kLength && text.front() <= '7' &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return kDigits.find(c) != std::string_view::npos; });
}

}  // namespace cromford::base
