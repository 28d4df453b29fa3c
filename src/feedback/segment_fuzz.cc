// Whatever bytes stand in the files of a log: reading them ends, stays within them, and what is
// read as a record can be decoded or is refused.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "feedback/checkpoint.h"
#include "feedback/codec.h"
#include "feedback/format.h"

namespace cromford::feedback {
namespace {

void check(bool condition) {
  if (!condition) {
    std::abort();
  }
}

void read_record(const Frame& frame) {
  if (frame.type == FrameType::kLayout) {
    (void)decode_layout(frame.payload);
  } else if (frame.type == FrameType::kOutcome) {
    (void)decode_outcome(frame.payload);
  } else if (frame.type == FrameType::kPrediction) {
    const auto view = view_prediction(frame.payload);
    if (view.ok()) {
      PredictionValues values;
      (void)decode_values(*view, {.numbers = 2, .texts = 1, .classes = 2}, values);
    }
  }
}

void scan(std::string_view segment) {
  auto scanner = SegmentScanner::create(segment);
  if (!scanner.ok()) {
    return;
  }
  Frame frame;
  uint64_t end = 0;
  while (scanner->next(frame)) {
    check(frame.offset >= end);
    end = frame.offset + frame_bytes(frame.payload.size());
    check(end == scanner->end() && end <= segment.size());
    read_record(frame);
  }
  (void)scanner->tail_is_torn();
  (void)read_footer(segment);
}

// The input as the payload of a frame whose checksum is right, which chance would not find.
void scan_as_payload(std::string_view input) {
  if (input.empty()) {
    return;
  }
  std::string segment = encode_header({SegmentKind::kPredictions, 1, base::Time()});
  std::string frames;
  begin_frame(frames, static_cast<FrameType>(1 + static_cast<uint8_t>(input[0]) % 4));
  frames += input.substr(1);
  end_frame(frames, 0);
  seal_frames(frames, frame_seed(segment));
  segment += frames;
  const auto size = static_cast<uint32_t>(frames.size());
  segment.append(reinterpret_cast<const char*>(&size), sizeof(size));
  segment += "CRLG";
  scan(segment);
}

}  // namespace
}  // namespace cromford::feedback

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cromford;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  feedback::scan(input);
  feedback::scan(feedback::encode_header({feedback::SegmentKind::kOutcomes, 1, base::Time()}) +
                 std::string(input));
  feedback::scan_as_payload(input);
  std::string checkpoint(
      "\x89"
      "CRCP\r\n\x1a");
  checkpoint += input;
  const uint32_t crc = base::crc32c(std::string_view(checkpoint));
  checkpoint.append(reinterpret_cast<const char*>(&crc), sizeof(crc));
  (void)feedback::decode_checkpoint(checkpoint);
  return 0;
}
