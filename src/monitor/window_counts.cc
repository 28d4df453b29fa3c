#include "monitor/window_counts.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "base/hash.h"
#include "base/status.h"

namespace cromford::monitor {
namespace {

constexpr std::string_view kMagic = "CFWC";
constexpr uint8_t kVersion = 1;
constexpr size_t kChecksumBytes = 4;
constexpr size_t kModelBytesMax = 1024;
constexpr int64_t kSecondsMax = int64_t{1} << 38;  // Of either side of 1970: 8,700 years.

// LEB128: seven bits a byte, the lowest first; most counts are small.
void put(uint64_t value, std::string& out) {
  while (value >= 0x80) {
    out += static_cast<char>(value | 0x80U);
    value >>= 7U;
  }
  out += static_cast<char>(value);
}

// Fails once and for good: further numbers are 0.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  uint64_t number() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const std::string_view piece = text(1);
      if (failed_) {
        return 0;
      }
      const auto byte = static_cast<unsigned char>(piece[0]);
      if (shift == 63 && byte > 1) {
        break;
      }
      value |= (byte & uint64_t{0x7f}) << shift;
      if (byte < 0x80) {
        return value;
      }
    }
    failed_ = true;
    return 0;
  }
  std::string_view text(size_t size) {
    if (failed_ || size > bytes_.size()) {
      failed_ = true;
      return {};
    }
    const std::string_view piece = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return piece;
  }
  size_t left() const { return bytes_.size(); }
  bool finished() const { return !failed_ && bytes_.empty(); }

 private:
  std::string_view bytes_;
  bool failed_ = false;
};

absl::Status damaged() {
  return base::damaged("the counts of a window are damaged");
}

std::string checksum(std::string_view bytes) {
  uint32_t crc = base::crc32c(bytes);
  std::string out;
  for (size_t i = 0; i < kChecksumBytes; ++i) {
    out += static_cast<char>(crc & 0xffU);
    crc >>= 8U;
  }
  return out;
}

int64_t seconds_of(base::Time time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

}  // namespace

base::Time window_start(base::Time time, std::chrono::seconds length) {
  const int64_t seconds = seconds_of(time);
  const int64_t past = (seconds % length.count() + length.count()) % length.count();
  return base::Time(std::chrono::seconds(seconds - past));
}

absl::Status merge(const WindowCounts& other, WindowCounts& into) {
  if (other.model != into.model || other.version != into.version ||
      other.counts.size() != into.counts.size()) {
    return base::invalid(fmt::format("counts of {}@{} do not add up with those of {}@{}",
                                     other.model, other.version, into.model, into.version));
  }
  const base::Time end = std::max(into.end(), other.end());
  into.start = std::min(into.start, other.start);
  into.length = std::chrono::floor<std::chrono::seconds>(end - into.start);
  into.rows += other.rows;
  for (size_t i = 0; i < into.counts.size(); ++i) {
    into.counts[i] += other.counts[i];
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<WindowCounts>> regroup(std::span<const WindowCounts> windows,
                                                  std::chrono::seconds length) {
  if (length.count() <= 0) {
    return base::invalid("a window is at least a second long");
  }
  std::map<std::tuple<std::string, int32_t, base::Time>, WindowCounts> groups;
  for (const WindowCounts& window : windows) {
    const base::Time start = window_start(window.start, length);
    if (window.end() > start + length) {
      return base::invalid(fmt::format("a window of {} s does not lie within one of {} s",
                                       window.length.count(), length.count()));
    }
    WindowCounts empty{.model = window.model,
                       .version = window.version,
                       .start = start,
                       .length = length,
                       .counts = std::vector<uint64_t>(window.counts.size(), 0)};
    const auto at =
        groups.try_emplace({window.model, window.version, start}, std::move(empty)).first;
    TRY(merge(window, at->second));
  }
  std::vector<WindowCounts> out;
  out.reserve(groups.size());
  for (auto& [key, window] : groups) {
    out.push_back(std::move(window));
  }
  return out;
}

std::string encode(const WindowCounts& window) {
  std::string out(kMagic);
  out += static_cast<char>(kVersion);
  put(window.model.size(), out);
  out += window.model;
  put(static_cast<uint32_t>(window.version), out);
  put(static_cast<uint64_t>(seconds_of(window.start) + kSecondsMax), out);
  put(static_cast<uint64_t>(window.length.count()), out);
  put(window.rows, out);
  put(window.counts.size(), out);
  for (const uint64_t count : window.counts) {
    put(count, out);
  }
  return out + checksum(out);
}

absl::StatusOr<WindowCounts> decode_window_counts(std::string_view bytes) {
  if (bytes.size() < kMagic.size() + 1 + kChecksumBytes || !bytes.starts_with(kMagic)) {
    return damaged();
  }
  const std::string_view body = bytes.substr(0, bytes.size() - kChecksumBytes);
  if (checksum(body) != bytes.substr(body.size())) {
    return damaged();
  }
  if (static_cast<uint8_t>(body[kMagic.size()]) != kVersion) {
    return base::refused("the counts of a window were written by a newer Cromford");
  }
  Reader in(body.substr(kMagic.size() + 1));
  WindowCounts out;
  out.model = in.text(std::min<uint64_t>(in.number(), kModelBytesMax + 1));
  const uint64_t version = in.number();
  const uint64_t start = in.number();
  const uint64_t length = in.number();
  out.rows = in.number();
  const uint64_t bins = in.number();
  if (out.model.size() > kModelBytesMax || version > INT32_MAX || start > 2 * kSecondsMax ||
      length == 0 || length > kSecondsMax || bins > in.left()) {
    return damaged();
  }
  out.version = static_cast<int32_t>(version);
  out.start = base::Time(std::chrono::seconds(static_cast<int64_t>(start) - kSecondsMax));
  out.length = std::chrono::seconds(length);
  out.counts.resize(bins);
  for (uint64_t& count : out.counts) {
    count = in.number();
  }
  if (!in.finished()) {
    return damaged();
  }
  return out;
}

}  // namespace cromford::monitor
