#include "feedback/join_feed.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/status.h"
#include "feedback/log_access.h"

namespace cromford::feedback {
namespace {

// Where a record stands.
using Place = std::pair<uint32_t, uint64_t>;

Place place_of(const IndexEntry& entry) {
  return {entry.segment, uint64_t{entry.offset} * 8};
}

bool is_read(const JoinCursor& cursor, const Place& place) {
  if (place.first < cursor.predictions_before) {
    return true;
  }
  const auto found = cursor.predictions.find(place.first);
  return found != cursor.predictions.end() && place.second < found->second;
}

class Feed {
 public:
  Feed(LogAccess& log, const std::string& endpoint, JoinCursor& cursor, JoinVisitor& visitor)
      : core_(log.core()),
        endpoint_(endpoint),
        seed_(endpoint_seed(endpoint)),
        cursor_(cursor),
        visitor_(visitor) {
    log.take_arrivals();
    progress_ = core_.joiner.checkpoint().progress;
  }

  absl::StatusOr<bool> run(uint64_t records_max) {
    TRY(const bool more_outcomes, read_outcomes(records_max));
    TRY(const bool more_predictions, read_predictions(records_max));
    forget_old_segments();
    return more_outcomes || more_predictions;
  }

 private:
  using LayoutsByNumber = std::unordered_map<uint32_t, Layout>;

  absl::StatusOr<bool> read_outcomes(uint64_t records_max);
  absl::Status take_outcome(const OutcomeView& outcome, const Place& place);
  absl::StatusOr<bool> read_predictions(uint64_t records_max);
  absl::Status take_prediction(const Place& place, const PredictionView& view);
  void forget_old_segments();

  // Where the records that are known to the joiner end; 0: there are none.
  uint64_t known_end(uint32_t segment) const {
    const auto found = progress_.find(segment);
    return found == progress_.end() ? 0 : found->second;
  }
  bool concerns(uint32_t segment) const;
  const Layout* layout_of(uint32_t segment, uint32_t number);
  std::optional<LoggedRow> row_at(const Place& place, std::string_view id);
  // Of the outcomes of an id, the one that counted before `end`.
  std::optional<OutcomeView> outcome_before(std::string_view id, const Place& end);

  Core& core_;
  const std::string& endpoint_;
  const uint64_t seed_;
  JoinCursor& cursor_;
  JoinVisitor& visitor_;
  std::map<uint32_t, uint64_t> progress_;
  std::map<uint32_t, LayoutsByNumber> layouts_;
  std::vector<IndexEntry> found_;
  std::vector<IndexEntry> counting_;
  PredictionValues values_;
  // What views point into.
  ReadFrame prediction_frame_;
  ReadFrame outcome_frame_;
};

// Whether a closed segment holds anything of the endpoint; an open one may.
bool Feed::concerns(uint32_t segment) const {
  const auto closed = core_.segments.closed(segment);
  if (!closed.ok()) {
    return true;
  }
  const auto& shares = (*closed)->footer.shares;
  return std::any_of(shares.begin(), shares.end(),
                     [&](const Footer::Share& share) { return share.endpoint == endpoint_; });
}

const Layout* Feed::layout_of(uint32_t segment, uint32_t number) {
  auto known = layouts_.find(segment);
  if (known == layouts_.end()) {
    const auto closed = core_.segments.closed(segment);
    if (!closed.ok()) {  // An open segment is one of this process.
      const DeclaredLayout* const declared = core_.layouts.find(number);
      return declared == nullptr || declared->layout.endpoint != endpoint_ ? nullptr
                                                                           : &declared->layout;
    }
    known = layouts_.emplace(segment, read_layouts(**closed)).first;
  }
  const auto layout = known->second.find(number);
  return layout == known->second.end() || layout->second.endpoint != endpoint_ ? nullptr
                                                                               : &layout->second;
}

std::optional<LoggedRow> Feed::row_at(const Place& place, std::string_view id) {
  absl::StatusOr<ReadFrame> read = core_.segments.read(place.first, place.second);
  if (!read.ok() || read->frame.type != FrameType::kPrediction) {
    return std::nullopt;  // Retention took it.
  }
  prediction_frame_ = *std::move(read);
  const auto view = view_prediction(prediction_frame_.frame.payload);
  if (!view.ok() || view->id != id) {
    return std::nullopt;
  }
  const Layout* const layout = layout_of(place.first, view->layout);
  if (layout == nullptr || !decode_values(*view, shape_of(*layout), values_).ok()) {
    return std::nullopt;
  }
  return LoggedRow{layout, *view, &values_};
}

std::optional<OutcomeView> Feed::outcome_before(std::string_view id, const Place& end) {
  found_.clear();
  core_.joiner.find(SegmentKind::kOutcomes, fingerprint(seed_, id), found_);
  std::erase_if(found_, [&](const IndexEntry& entry) { return place_of(entry) >= end; });
  while (!found_.empty()) {
    const IndexEntry entry = counting_outcome(found_);
    absl::StatusOr<ReadFrame> read = core_.segments.read(entry.segment, place_of(entry).second);
    if (read.ok()) {
      outcome_frame_ = *std::move(read);
      const auto outcome = decode_outcome(outcome_frame_.frame.payload);
      if (outcome.ok() && outcome->id == id && outcome->endpoint == endpoint_) {
        return *outcome;
      }
    }
    std::erase(found_, entry);
  }
  return std::nullopt;
}

absl::StatusOr<bool> Feed::read_outcomes(uint64_t records_max) {
  uint64_t count = 0;
  for (const uint32_t segment : core_.segments.numbers(SegmentKind::kOutcomes)) {
    if (segment < cursor_.outcome_segment) {
      continue;
    }
    const uint64_t begin = segment == cursor_.outcome_segment ? cursor_.outcome_offset : 0;
    const uint64_t end = known_end(segment);
    if (begin >= end) {
      continue;
    }
    cursor_.outcome_segment = segment;
    if (!concerns(segment)) {
      cursor_.outcome_offset = end;
      continue;
    }
    TRY(const auto file, core_.segments.map(segment));
    TRY(SegmentScanner scanner, SegmentScanner::create(file->text()));
    scanner.skip_to(begin);
    Frame frame;
    while (scanner.next(frame) && frame.offset < end) {
      cursor_.outcome_offset = frame.offset;
      if (count == records_max) {
        return true;
      }
      const auto outcome = frame.type == FrameType::kOutcome
                               ? decode_outcome(frame.payload)
                               : absl::StatusOr<OutcomeView>(base::damaged("no outcome"));
      if (outcome.ok() && outcome->endpoint == endpoint_) {
        TRY(take_outcome(*outcome, {segment, frame.offset}));
        ++count;
      }
      cursor_.outcome_offset = scanner.end();
    }
    cursor_.outcome_offset = std::max(cursor_.outcome_offset, end);
  }
  return false;
}

// A prediction that was not read yet finds its outcomes when it is.
absl::Status Feed::take_outcome(const OutcomeView& outcome, const Place& place) {
  counting_.clear();
  core_.joiner.find(SegmentKind::kPredictions, fingerprint(seed_, outcome.id), counting_);
  std::erase_if(counting_,
                [&](const IndexEntry& entry) { return !is_read(cursor_, place_of(entry)); });
  if (counting_.empty()) {
    return absl::OkStatus();
  }
  const std::optional<OutcomeView> after =
      outcome_before(outcome.id, {place.first, place.second + 1});
  if (!after || after->at != outcome.at || !after->same_as(outcome)) {
    return absl::OkStatus();  // It says what was known, or an earlier one counts for more.
  }
  const std::optional<LoggedRow> row = row_at(place_of(counting_prediction(counting_)), outcome.id);
  if (!row) {
    return absl::OkStatus();
  }
  const std::optional<OutcomeView> before = outcome_before(outcome.id, place);
  if (before && before->same_as(outcome)) {
    return absl::OkStatus();
  }
  return visitor_.joined(*row, before ? &*before : nullptr, outcome);
}

absl::StatusOr<bool> Feed::read_predictions(uint64_t records_max) {
  uint64_t count = 0;
  for (const uint32_t segment : core_.segments.numbers(SegmentKind::kPredictions)) {
    if (segment < cursor_.predictions_before) {
      continue;
    }
    const uint64_t end = known_end(segment);
    if (cursor_.predictions[segment] >= end) {
      continue;
    }
    if (!concerns(segment)) {
      cursor_.predictions[segment] = end;
      continue;
    }
    TRY(const auto file, core_.segments.map(segment));
    TRY(SegmentScanner scanner, SegmentScanner::create(file->text()));
    scanner.skip_to(cursor_.predictions[segment]);
    Frame frame;
    while (scanner.next(frame) && frame.offset < end) {
      cursor_.predictions[segment] = frame.offset;
      if (count == records_max) {
        return true;
      }
      const auto view = frame.type == FrameType::kPrediction
                            ? view_prediction(frame.payload)
                            : absl::StatusOr<PredictionView>(base::damaged("no prediction"));
      if (view.ok()) {
        TRY(take_prediction({segment, frame.offset}, *view));
        ++count;
      }
      cursor_.predictions[segment] = scanner.end();
    }
    cursor_.predictions[segment] = std::max(cursor_.predictions[segment], end);
  }
  return false;
}

absl::Status Feed::take_prediction(const Place& place, const PredictionView& view) {
  const Layout* const layout = layout_of(place.first, view.layout);
  if (layout == nullptr || !decode_values(view, shape_of(*layout), values_).ok()) {
    return absl::OkStatus();  // Another endpoint's.
  }
  counting_.clear();
  core_.joiner.find(SegmentKind::kPredictions, fingerprint(seed_, view.id), counting_);
  // Repeated: the first that was read counts, and of those that were not, the first of all.
  const bool repeated =
      std::any_of(counting_.begin(), counting_.end(), [&](const IndexEntry& entry) {
        return place_of(entry) != place && is_read(cursor_, place_of(entry));
      });
  if (repeated) {
    return absl::OkStatus();
  }
  const LoggedRow row{layout, view, &values_};
  TRY(visitor_.predicted(row));
  const std::optional<OutcomeView> outcome =
      outcome_before(view.id, {cursor_.outcome_segment, cursor_.outcome_offset});
  return outcome ? visitor_.joined(row, nullptr, *outcome) : absl::OkStatus();
}

void Feed::forget_old_segments() {
  const std::vector<uint32_t> numbers = core_.segments.numbers(SegmentKind::kPredictions);
  for (const uint32_t segment : numbers) {
    if (segment < cursor_.predictions_before) {
      continue;
    }
    if (cursor_.predictions[segment] != kWhole) {
      break;
    }
    cursor_.predictions_before = segment + 1;
  }
  std::erase_if(cursor_.predictions, [&](const auto& entry) {
    return entry.first < cursor_.predictions_before ||
           !std::binary_search(numbers.begin(), numbers.end(), entry.first);
  });
}

}  // namespace

absl::StatusOr<bool> read_joins(Log& log, const std::string& endpoint, uint64_t records_max,
                                JoinCursor& cursor, JoinVisitor& visitor) {
  return Feed(static_cast<LogAccess&>(log), endpoint, cursor, visitor).run(records_max);
}

base::Json to_json(const JoinCursor& cursor) {
  base::Json predictions = base::Json::array();
  for (const auto& [segment, offset] : cursor.predictions) {
    predictions.push_back({segment, offset});
  }
  return {{"outcome_segment", cursor.outcome_segment},
          {"outcome_offset", cursor.outcome_offset},
          {"predictions_before", cursor.predictions_before},
          {"predictions", std::move(predictions)}};
}

absl::StatusOr<JoinCursor> join_cursor_from(const base::Json& json) {
  JoinCursor cursor;
  if (!json.is_object() || !json.contains("predictions") || !json["predictions"].is_array()) {
    return base::damaged("the place up to which outcomes are counted is damaged");
  }
  cursor.outcome_segment = json.value("outcome_segment", uint32_t{0});
  cursor.outcome_offset = json.value("outcome_offset", uint64_t{0});
  cursor.predictions_before = json.value("predictions_before", uint32_t{0});
  for (const base::Json& entry : json["predictions"]) {
    cursor.predictions[entry.at(0).get<uint32_t>()] = entry.at(1).get<uint64_t>();
  }
  return cursor;
}

}  // namespace cromford::feedback
