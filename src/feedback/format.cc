#include "feedback/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/hash.h"
#include "base/status.h"
#include "feedback/bytes.h"

namespace cromford::feedback {
namespace {

constexpr std::string_view kMagic =
    "\x89"
    "CRLG\r\n\x1a";
constexpr uint32_t kTrailerMagic = 0x474c5243;  // "CRLG"
constexpr uint64_t kHeaderCheckedBytes = kSegmentHeaderBytes - sizeof(uint32_t);
constexpr size_t kLengthAt = 4;

int64_t microseconds(base::Time time) {
  return time.time_since_epoch().count();
}
base::Time time_of(int64_t us) {
  return base::Time(std::chrono::microseconds(us));
}

template <typename T>
T load(const char* at) {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}

bool known(uint32_t type) {
  return type >= static_cast<uint32_t>(FrameType::kLayout) &&
         type <= static_cast<uint32_t>(FrameType::kFooter);
}

}  // namespace

std::string encode_header(const SegmentHeader& header) {
  std::string out(kMagic);
  ByteWriter writer(out);
  writer.put(kLogFormat);
  writer.put(header.kind);
  writer.put(header.number);
  writer.put(uint32_t{0});
  writer.put(microseconds(header.created_at));
  writer.put(uint32_t{0});
  writer.put(base::crc32c(std::string_view(out)));
  return out;
}

absl::StatusOr<SegmentHeader> decode_header(std::string_view bytes) {
  if (bytes.size() < kSegmentHeaderBytes || !bytes.starts_with(kMagic)) {
    return base::damaged("it does not begin like a segment of the log");
  }
  ByteReader in(bytes.substr(kMagic.size(), kSegmentHeaderBytes - kMagic.size()));
  const auto format = in.get<uint32_t>();
  SegmentHeader header;
  header.kind = in.get<SegmentKind>();
  header.number = in.get<uint32_t>();
  (void)in.get<uint32_t>();
  header.created_at = time_of(in.get<int64_t>());
  if (frame_seed(bytes) != base::crc32c(bytes.substr(0, kHeaderCheckedBytes))) {
    return base::damaged("the header's checksum is wrong");
  }
  if (format != kLogFormat) {
    return base::damaged(
        fmt::format("it has format {}; this program reads format {}", format, kLogFormat));
  }
  if (header.kind != SegmentKind::kPredictions && header.kind != SegmentKind::kOutcomes) {
    return base::damaged("it holds neither predictions nor outcomes");
  }
  return header;
}

uint32_t frame_seed(std::string_view header_bytes) {
  return load<uint32_t>(header_bytes.data() + kHeaderCheckedBytes);
}

void begin_frame(std::string& out, FrameType type) {
  ByteWriter writer(out);
  writer.put(uint64_t{0});
  writer.put(type);
}

void end_frame(std::string& out, size_t offset) {
  const auto length = static_cast<uint32_t>(out.size() - offset - kFrameHeaderBytes);
  std::memcpy(out.data() + offset + kLengthAt, &length, sizeof(length));
  out.resize(offset + frame_bytes(length));
}

void seal_frames(std::string& frames, uint32_t seed) {
  for (size_t offset = 0; offset < frames.size();) {
    const uint64_t size = frame_bytes(load<uint32_t>(frames.data() + offset + kLengthAt));
    const uint32_t crc =
        base::crc32c(std::string_view(frames).substr(offset + kLengthAt, size - kLengthAt), seed);
    std::memcpy(frames.data() + offset, &crc, sizeof(crc));
    offset += size;
  }
}

bool read_frame(std::string_view segment, uint32_t seed, uint64_t offset, Frame& frame) {
  if (offset > segment.size() || segment.size() - offset < kFrameHeaderBytes) {
    return false;
  }
  const char* const at = segment.data() + offset;
  const auto length = load<uint32_t>(at + kLengthAt);
  const auto type = load<uint32_t>(at + 8);
  const uint64_t size = frame_bytes(length);
  if (!known(type) || length > kPayloadBytesMax || size > segment.size() - offset) {
    return false;
  }
  if (base::crc32c(segment.substr(offset + kLengthAt, size - kLengthAt), seed) !=
      load<uint32_t>(at)) {
    return false;
  }
  frame = {static_cast<FrameType>(type), segment.substr(offset + kFrameHeaderBytes, length),
           offset};
  return true;
}

std::string_view unchecked_payload(std::string_view frames, uint64_t offset) {
  const auto length = load<uint32_t>(frames.data() + offset + kLengthAt);
  return frames.substr(offset + kFrameHeaderBytes, length);
}

absl::StatusOr<SegmentScanner> SegmentScanner::create(std::string_view segment) {
  SegmentScanner scanner(segment);
  TRY(scanner.header_, decode_header(segment));
  scanner.seed_ = frame_seed(segment);
  return scanner;
}

bool SegmentScanner::next(Frame& frame) {
  if (finished_) {
    return false;
  }
  uint64_t offset = end_;
  while (!read_frame(segment_, seed_, offset, frame)) {
    offset += 8;
    if (offset >= segment_.size()) {
      finished_ = true;
      return false;
    }
  }
  if (offset > end_) {
    gaps_.push_back({end_, offset - end_});
  }
  end_ = offset + frame_bytes(frame.payload.size());
  finished_ = frame.type == FrameType::kFooter;
  return true;
}

bool SegmentScanner::tail_is_torn() const {
  const std::string_view tail = segment_.substr(end_);
  if (tail.size() < kFrameHeaderBytes ||
      std::all_of(tail.begin(), tail.end(), [](char byte) { return byte == 0; })) {
    return true;
  }
  const auto length = load<uint32_t>(tail.data() + kLengthAt);
  return known(load<uint32_t>(tail.data() + 8)) && length <= kPayloadBytesMax &&
         frame_bytes(length) > tail.size();
}

std::string encode_footer(const Footer& footer, uint32_t seed) {
  std::string out;
  begin_frame(out, FrameType::kFooter);
  ByteWriter writer(out);
  writer.put(footer.records);
  writer.put(microseconds(footer.last_arrival));
  writer.put(static_cast<uint32_t>(footer.layouts.size()));
  for (const uint64_t layout : footer.layouts) {
    writer.put(layout);
  }
  writer.put(static_cast<uint32_t>(footer.shares.size()));
  for (const Footer::Share& share : footer.shares) {
    writer.text(share.endpoint);
    writer.put(share.records);
    writer.put(microseconds(share.first_event));
    writer.put(microseconds(share.last_event));
    writer.put(microseconds(share.last_arrival));
  }
  end_frame(out, 0);
  seal_frames(out, seed);
  const auto size = static_cast<uint32_t>(out.size());
  writer.put(size);
  writer.put(kTrailerMagic);
  return out;
}

absl::StatusOr<Footer> read_footer(std::string_view segment) {
  TRY(decode_header(segment));
  const std::string_view trailer =
      segment.substr(segment.size() - std::min<size_t>(segment.size(), kTrailerBytes));
  const auto size = load<uint32_t>(trailer.data());
  Frame frame;
  if (load<uint32_t>(trailer.data() + 4) != kTrailerMagic ||
      size + kTrailerBytes + kSegmentHeaderBytes > segment.size() ||
      !read_frame(segment.substr(0, segment.size() - kTrailerBytes), frame_seed(segment),
                  segment.size() - kTrailerBytes - size, frame) ||
      frame.type != FrameType::kFooter) {
    return base::damaged("it does not end with a footer");
  }
  ByteReader in(frame.payload);
  Footer footer;
  footer.records = in.get<uint64_t>();
  footer.last_arrival = time_of(in.get<int64_t>());
  footer.layouts.resize(in.count(8));
  for (uint64_t& layout : footer.layouts) {
    layout = in.get<uint64_t>();
  }
  footer.shares.resize(in.count(36));
  for (Footer::Share& share : footer.shares) {
    share.endpoint = in.text();
    share.records = in.get<uint64_t>();
    share.first_event = time_of(in.get<int64_t>());
    share.last_event = time_of(in.get<int64_t>());
    share.last_arrival = time_of(in.get<int64_t>());
  }
  if (!in.finished()) {
    return base::damaged("its footer cannot be read");
  }
  return footer;
}

}  // namespace cromford::feedback
