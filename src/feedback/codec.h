#pragma once

// Records as the payloads of frames, and back. For the sources of this folder.
//
//   append_prediction(frames, record);              // a whole frame, but for its checksum
//   PredictionView view;
//   TRY(decode_prediction(frame.payload, layout, view));
//
// Thread safety: functions only. Views point into the payload.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "feedback/record.h"

namespace cromford::feedback {

inline constexpr size_t kIdBytesMax = 128;
inline constexpr size_t kTextBytesMax = 1U << 20;
inline constexpr size_t kColumnsMax = 10'000;
// What stands for a missing text.
inline constexpr uint32_t kMissingText = UINT32_MAX;

// How many values of each kind the rows of a layout have.
struct LayoutShape {
  size_t numbers = 0;
  size_t texts = 0;
  size_t classes = 0;
};
LayoutShape shape_of(const Layout& layout);

// INVALID_ARGUMENT naming the limit or the misfit.
absl::Status check_prediction(const PredictionRecord& record, const LayoutShape& shape);

void append_layout(std::string& frames, uint32_t number, const Layout& layout);
struct NumberedLayout {
  uint32_t number = 0;
  Layout layout;
};
absl::StatusOr<NumberedLayout> decode_layout(std::string_view payload);

// A prediction in place.
struct PredictionView {
  uint32_t layout = 0;
  base::Time event_time{};
  base::Time arrival_time{};
  uint32_t latency_us = 0;
  int32_t label = -1;
  std::string_view id;
  std::string_view key;
  std::string_view request_id;
  std::string_view rest;  // answer, numbers and texts
  uint32_t answer_count = 0;
};
void append_prediction(std::string& frames, const PredictionRecord& record);
// Without the values of answer and row, which need the layout. DATA_LOSS.
absl::StatusOr<PredictionView> view_prediction(std::string_view payload);

// The values of answer and row. `texts`: a view without data is missing.
struct PredictionValues {
  std::vector<double> answer;
  std::vector<double> numbers;
  std::vector<std::string_view> texts;
};
// Fills `values`, whose memory is kept. DATA_LOSS.
absl::Status decode_values(const PredictionView& view, const LayoutShape& shape,
                           PredictionValues& values);

struct OutcomeView {
  std::string_view endpoint;
  std::string_view id;
  bool is_number = false;
  bool at_was_told = false;
  std::string_view text;
  double number = 0;
  base::Time at{};
  base::Time arrival_time{};

  // Whether both say the same: then one of them counts.
  bool same_as(const OutcomeView& other) const;
};
void append_outcome(std::string& frames, const OutcomeView& outcome);
absl::StatusOr<OutcomeView> decode_outcome(std::string_view payload);

// What the indexes know an id by.
uint64_t fingerprint(uint64_t endpoint_seed, std::string_view id);
uint64_t endpoint_seed(std::string_view endpoint);

}  // namespace cromford::feedback
