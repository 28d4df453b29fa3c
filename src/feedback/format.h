#pragma once

// The bytes of a segment (docs/formats/log.md): a header, frames under a checksum, and, once it is
// closed, a footer that says what is in it. For the sources of this folder.
//
//   TRY(SegmentScanner scanner, SegmentScanner::create(file.text()));
//   Frame frame;
//   while (scanner.next(frame)) { ... }
//   scanner.end();                    // behind the last whole frame: what follows is cut
//   scanner.gaps();                   // damage with whole frames behind it: never cut
//
// Thread safety: values and functions; a scanner belongs to one thread.

#include <absl/status/statusor.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace cromford::feedback {

inline constexpr uint32_t kLogFormat = 1;
inline constexpr uint64_t kSegmentHeaderBytes = 40;
inline constexpr uint64_t kFrameHeaderBytes = 12;
inline constexpr uint64_t kTrailerBytes = 8;
inline constexpr uint64_t kPayloadBytesMax = 8U << 20;

enum class SegmentKind : uint32_t { kPredictions = 1, kOutcomes = 2 };
enum class FrameType : uint32_t { kLayout = 1, kPrediction = 2, kOutcome = 3, kFooter = 4 };

struct SegmentHeader {
  SegmentKind kind = SegmentKind::kPredictions;
  uint32_t number = 0;
  base::Time created_at{};
};
std::string encode_header(const SegmentHeader& header);
// DATA_LOSS for what is no header, or one of a newer format.
absl::StatusOr<SegmentHeader> decode_header(std::string_view bytes);
// What the checksums of a segment's frames begin with: the header's own, so that a frame is valid
// in the segment only for which it was made.
uint32_t frame_seed(std::string_view header_bytes);

// The bytes that a frame of such a payload takes: a multiple of 8, so that whole frames are found
// again behind damage.
constexpr uint64_t frame_bytes(uint64_t payload_bytes) {
  return (kFrameHeaderBytes + payload_bytes + 7) / 8 * 8;
}
// Begins a frame at the end of `out`; the payload is appended next.
void begin_frame(std::string& out, FrameType type);
// Ends the frame that began at `offset`: its length, and zeros up to a multiple of 8.
void end_frame(std::string& out, size_t offset);
// Writes the checksums of a run of ended frames, once the segment that takes them is known.
void seal_frames(std::string& frames, uint32_t seed);

struct Frame {
  FrameType type = FrameType::kLayout;
  std::string_view payload;  // with the zeros behind it removed
  uint64_t offset = 0;       // in the file
};
// The frame at `offset`; false unless it is whole and its checksum right.
bool read_frame(std::string_view segment, uint32_t seed, uint64_t offset, Frame& frame);
// The payload of a frame that this process made itself.
std::string_view unchecked_payload(std::string_view frames, uint64_t offset);

struct Gap {
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

class SegmentScanner {
 public:
  // `segment` is the whole file and must outlive the scanner. DATA_LOSS for a bad header.
  static absl::StatusOr<SegmentScanner> create(std::string_view segment);

  const SegmentHeader& header() const { return header_; }
  uint32_t seed() const { return seed_; }
  // Goes on where a frame begins that stands behind those that were read.
  void skip_to(uint64_t offset) { end_ = std::max(end_, offset); }
  // False at the end. A footer is a frame like others; what is behind it is not looked at.
  bool next(Frame& frame);

  // After the last frame: where it ends. Bytes behind it are a tail to be cut.
  uint64_t end() const { return end_; }
  // Whether the tail is what an interrupted write leaves: nothing, the beginning of a frame, or
  // zeros. Else it is damage.
  bool tail_is_torn() const;
  const std::vector<Gap>& gaps() const { return gaps_; }

 private:
  explicit SegmentScanner(std::string_view segment) : segment_(segment) {}

  std::string_view segment_;
  SegmentHeader header_;
  uint32_t seed_ = 0;
  uint64_t end_ = kSegmentHeaderBytes;
  bool finished_ = false;
  std::vector<Gap> gaps_;
};

// What a closed segment says of itself.
struct Footer {
  struct Share {
    std::string endpoint;
    uint64_t records = 0;
    base::Time first_event{};
    base::Time last_event{};
    base::Time last_arrival{};
  };
  uint64_t records = 0;
  base::Time last_arrival{};
  std::vector<uint64_t> layouts;  // where the layout frames stand
  std::vector<Share> shares;      // by endpoint
};
// The footer's frame and the trailer by which it is found from the end of the file.
std::string encode_footer(const Footer& footer, uint32_t seed);
// DATA_LOSS unless the file ends with a footer and its trailer.
absl::StatusOr<Footer> read_footer(std::string_view segment);

}  // namespace cromford::feedback
