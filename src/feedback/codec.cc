#include "feedback/codec.h"

#include <fmt/format.h>

#include <cstring>

#include "base/hash.h"
#include "base/status.h"
#include "feedback/bytes.h"
#include "feedback/format.h"

namespace cromford::feedback {
namespace {

constexpr uint8_t kIsNumber = 1;
constexpr uint8_t kAtWasTold = 2;

int64_t microseconds(base::Time time) {
  return time.time_since_epoch().count();
}
base::Time time_of(int64_t us) {
  return base::Time(std::chrono::microseconds(us));
}

// What every prediction's payload begins with.
struct Fixed {
  int64_t event_time;
  int64_t arrival_time;
  uint32_t layout;
  uint32_t latency_us;
  int32_t label;
  uint16_t answer_count;
  uint8_t id_bytes;
  uint8_t key_bytes;
  uint8_t request_id_bytes;
};
constexpr size_t kFixedBytes = 33;

char* put(char* at, const void* bytes, size_t count) {
  if (count > 0) {
    std::memcpy(at, bytes, count);
  }
  return at + count;
}

size_t payload_bytes(const PredictionRecord& record) {
  size_t size = kFixedBytes + record.id.size() + record.key.size() + record.request_id.size() +
                (record.answer.size() + record.numbers.size()) * sizeof(double);
  for (const std::string_view text : record.texts) {
    size += sizeof(uint32_t) + text.size();
  }
  return size;
}

void take_doubles(ByteReader& in, size_t count, std::vector<double>& out) {
  const std::string_view bytes = in.bytes(count * sizeof(double));
  out.resize(bytes.size() / sizeof(double));
  if (!bytes.empty()) {
    std::memcpy(out.data(), bytes.data(), bytes.size());
  }
}

}  // namespace

LayoutShape shape_of(const Layout& layout) {
  LayoutShape shape{.classes = layout.classes.size()};
  for (const table::ColumnSchema& column : layout.columns) {
    (column.type == ColumnType::kText ? shape.texts : shape.numbers) += 1;
  }
  return shape;
}

absl::Status check_prediction(const PredictionRecord& record, const LayoutShape& shape) {
  if (record.id.empty() || record.id.size() > kIdBytesMax || record.key.size() > kIdBytesMax ||
      record.request_id.size() > kIdBytesMax) {
    return base::invalid(
        fmt::format("the id of a prediction has 1 to {0} bytes, its key and its request's id at "
                    "most {0}",
                    kIdBytesMax));
  }
  if (record.numbers.size() != shape.numbers || record.texts.size() != shape.texts) {
    return base::invalid(fmt::format("the row has {} numbers and {} texts, its layout {} and {}",
                                     record.numbers.size(), record.texts.size(), shape.numbers,
                                     shape.texts));
  }
  const bool fits = shape.classes == 0
                        ? record.answer.size() == 1 || record.answer.size() == 3
                        : record.answer.size() == shape.classes && record.label >= 0 &&
                              static_cast<size_t>(record.label) < shape.classes;
  if (!fits) {
    return base::invalid(
        fmt::format("an answer of {} values with the label {} does not fit {} "
                    "classes",
                    record.answer.size(), record.label, shape.classes));
  }
  for (const std::string_view text : record.texts) {
    if (text.size() > kTextBytesMax) {
      return base::invalid(
          fmt::format("a text of {} bytes; at most {} are logged", text.size(), kTextBytesMax));
    }
  }
  if (payload_bytes(record) > kPayloadBytesMax) {
    return base::invalid(fmt::format("the row is longer than {} bytes", kPayloadBytesMax));
  }
  return absl::OkStatus();
}

void append_layout(std::string& frames, uint32_t number, const Layout& layout) {
  const size_t offset = frames.size();
  begin_frame(frames, FrameType::kLayout);
  ByteWriter out(frames);
  out.put(number);
  out.text(layout.endpoint);
  out.text(layout.model);
  out.put(layout.model_version);
  out.text(layout.variant);
  out.put(static_cast<uint32_t>(layout.classes.size()));
  for (const std::string& name : layout.classes) {
    out.text(name);
  }
  out.put(static_cast<uint32_t>(layout.columns.size()));
  for (const table::ColumnSchema& column : layout.columns) {
    out.text(column.name);
    out.text(table::column_type_name(column.type));
  }
  end_frame(frames, offset);
}

absl::StatusOr<NumberedLayout> decode_layout(std::string_view payload) {
  ByteReader in(payload);
  NumberedLayout result;
  Layout& layout = result.layout;
  result.number = in.get<uint32_t>();
  layout.endpoint = in.text();
  layout.model = in.text();
  layout.model_version = in.get<int64_t>();
  layout.variant = in.text();
  layout.classes.resize(in.count(4));
  for (std::string& name : layout.classes) {
    name = in.text();
  }
  layout.columns.resize(in.count(8));
  for (table::ColumnSchema& column : layout.columns) {
    column.name = in.text();
    const auto type = table::parse_column_type(in.text());
    if (!type) {
      in.fail();
    }
    column.type = type.value_or(ColumnType::kText);
  }
  if (!in.finished()) {
    return base::damaged("a layout of the log cannot be read");
  }
  return result;
}

void append_prediction(std::string& frames, const PredictionRecord& record) {
  const size_t offset = frames.size();
  const size_t length = payload_bytes(record);
  // Once as long as it will be: appending piece by piece costs twice as much. The zeros behind the
  // payload come with it.
  frames.resize(offset + frame_bytes(length));
  char* at = frames.data() + offset + sizeof(uint32_t);
  const auto length32 = static_cast<uint32_t>(length);
  const auto type = FrameType::kPrediction;
  at = put(at, &length32, sizeof(length32));
  at = put(at, &type, sizeof(type));
  const Fixed fixed{microseconds(record.event_time),
                    microseconds(record.arrival_time),
                    record.layout,
                    record.latency_us,
                    record.label,
                    static_cast<uint16_t>(record.answer.size()),
                    static_cast<uint8_t>(record.id.size()),
                    static_cast<uint8_t>(record.key.size()),
                    static_cast<uint8_t>(record.request_id.size())};
  at = put(at, &fixed, kFixedBytes);
  at = put(at, record.id.data(), record.id.size());
  at = put(at, record.key.data(), record.key.size());
  at = put(at, record.request_id.data(), record.request_id.size());
  at = put(at, record.answer.data(), record.answer.size_bytes());
  at = put(at, record.numbers.data(), record.numbers.size_bytes());
  for (const std::string_view text : record.texts) {
    const auto size = text.data() == nullptr ? kMissingText : static_cast<uint32_t>(text.size());
    at = put(at, &size, sizeof(size));
    at = put(at, text.data(), text.size());
  }
}

absl::StatusOr<PredictionView> view_prediction(std::string_view payload) {
  ByteReader in(payload);
  PredictionView view;
  view.event_time = time_of(in.get<int64_t>());
  view.arrival_time = time_of(in.get<int64_t>());
  view.layout = in.get<uint32_t>();
  view.latency_us = in.get<uint32_t>();
  view.label = in.get<int32_t>();
  view.answer_count = in.get<uint16_t>();
  const auto id_bytes = in.get<uint8_t>();
  const auto key_bytes = in.get<uint8_t>();
  const auto request_id_bytes = in.get<uint8_t>();
  view.id = in.bytes(id_bytes);
  view.key = in.bytes(key_bytes);
  view.request_id = in.bytes(request_id_bytes);
  view.rest = in.bytes(in.left());
  if (in.failed()) {
    return base::damaged("a prediction of the log cannot be read");
  }
  return view;
}

absl::Status decode_values(const PredictionView& view, const LayoutShape& shape,
                           PredictionValues& values) {
  ByteReader in(view.rest);
  take_doubles(in, view.answer_count, values.answer);
  take_doubles(in, shape.numbers, values.numbers);
  values.texts.clear();
  for (size_t i = 0; i < shape.texts; ++i) {
    const auto size = in.get<uint32_t>();
    values.texts.push_back(size == kMissingText ? std::string_view() : in.bytes(size));
  }
  const bool fits = shape.classes == 0 ? view.answer_count > 0
                                       : view.answer_count == shape.classes && view.label >= 0 &&
                                             static_cast<size_t>(view.label) < shape.classes;
  return in.finished() && fits ? absl::OkStatus()
                               : base::damaged("the row of a prediction cannot be read");
}

bool OutcomeView::same_as(const OutcomeView& other) const {
  return is_number == other.is_number && at_was_told == other.at_was_told &&
         (!at_was_told || at == other.at) &&
         (is_number ? number == other.number : text == other.text);
}

void append_outcome(std::string& frames, const OutcomeView& outcome) {
  const size_t offset = frames.size();
  begin_frame(frames, FrameType::kOutcome);
  ByteWriter out(frames);
  out.put(microseconds(outcome.at));
  out.put(microseconds(outcome.arrival_time));
  out.put(static_cast<uint8_t>((outcome.is_number ? kIsNumber : 0U) |
                               (outcome.at_was_told ? kAtWasTold : 0U)));
  out.text(outcome.endpoint);
  out.text(outcome.id);
  if (outcome.is_number) {
    out.put(outcome.number);
  } else {
    out.text(outcome.text);
  }
  end_frame(frames, offset);
}

absl::StatusOr<OutcomeView> decode_outcome(std::string_view payload) {
  ByteReader in(payload);
  OutcomeView outcome;
  outcome.at = time_of(in.get<int64_t>());
  outcome.arrival_time = time_of(in.get<int64_t>());
  const auto flags = in.get<uint8_t>();
  outcome.is_number = (flags & kIsNumber) != 0;
  outcome.at_was_told = (flags & kAtWasTold) != 0;
  outcome.endpoint = in.text();
  outcome.id = in.text();
  if (outcome.is_number) {
    outcome.number = in.get<double>();
  } else {
    outcome.text = in.text();
  }
  if (!in.finished() || flags > (kIsNumber | kAtWasTold)) {
    return base::damaged("an outcome of the log cannot be read");
  }
  return outcome;
}

uint64_t fingerprint(uint64_t endpoint_seed, std::string_view id) {
  return base::hash64(id, endpoint_seed);
}

uint64_t endpoint_seed(std::string_view endpoint) {
  return base::hash64(endpoint);
}

}  // namespace cromford::feedback
