#include "feedback/writer_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/status.h"

namespace cromford::feedback {
namespace {

// So many wake whoever takes them, so that they need little memory.
constexpr size_t kArrivalsMax = 1U << 16;

}  // namespace

std::optional<absl::Status> PredictionWriter::State::write_turn(const Done& done) {
  const std::lock_guard lock(mutex);
  const absl::Status status = append_turn();
  std::optional<absl::Status> result;
  if (!status.ok()) {
    result = lose(turn, status);
  } else if (kernel_only()) {
    arrived.insert(arrived.end(), turn.begin(), turn.end());
    result = absl::OkStatus();
    if (arrived.size() >= kArrivalsMax) {
      core.wake();
    }
  } else {
    unsynced.push_back({active->segment.number(), active->segment.size(), turn, done});
    wake_syncer();
  }
  frames.clear();
  turn.clear();
  turn_layouts.clear();
  return result;
}

absl::Status PredictionWriter::State::append_turn() {
  absl::Status status;
  for (int attempt = 0; attempt < 2; ++attempt) {
    TRY(ensure_segment());
    status = append_layouts();
    const uint64_t begin = active->segment.size();
    if (status.ok()) {
      status = active->segment.append(frames);
    }
    if (status.ok()) {
      active->records += turn.size();
      for (Arrival& arrival : turn) {
        arrival.entry.segment = active->segment.number();
        arrival.entry.offset += static_cast<uint32_t>(begin / 8);
      }
      return status;
    }
    // Nothing more goes into a file of which a write failed; another may take it.
    detach();
  }
  retry_at = core.options.clock->monotonic() + core.options.retry_after;
  last_error = status;
  return status;
}

absl::Status PredictionWriter::State::ensure_segment() {
  if (active && core.due(active->segment.size(), active->records, active->segment.created_at())) {
    detach();
  }
  if (active) {
    return absl::OkStatus();
  }
  const auto now = core.options.clock->monotonic();
  if (now < retry_at) {
    return last_error;
  }
  auto segment = core.create_segment(SegmentKind::kPredictions, core.options.durability);
  if (!segment.ok()) {
    retry_at = now + core.options.retry_after;
    last_error = segment.status();
    return last_error;
  }
  active.emplace(WriterSegment{.segment = *std::move(segment), .has_layout = {}, .layouts = {}});
  return absl::OkStatus();
}

absl::Status PredictionWriter::State::append_layouts() {
  layout_frames.clear();
  const size_t known_before = active->layouts.size();
  for (const DeclaredLayout* layout : turn_layouts) {
    if (layout->number < active->has_layout.size() && active->has_layout[layout->number]) {
      continue;
    }
    active->has_layout.resize(std::max<size_t>(active->has_layout.size(), layout->number + 1));
    active->has_layout[layout->number] = true;
    active->layouts.push_back(active->segment.size() + layout_frames.size());
    layout_frames += layout->frame;
  }
  if (layout_frames.empty()) {
    return absl::OkStatus();
  }
  const absl::Status status = active->segment.append(layout_frames);
  if (!status.ok()) {
    active->layouts.resize(known_before);
  }
  return status;
}

void PredictionWriter::State::detach() {
  if (kernel_only()) {
    finish(*active, active->segment.size());
  } else {
    detached.push_back(*std::move(active));
    wake_syncer();
  }
  active.reset();
}

void PredictionWriter::State::finish(const WriterSegment& segment, uint64_t end) {
  FinishedSegment finished{SegmentKind::kPredictions, segment.segment.number(), end,
                           segment.layouts};
  std::erase_if(finished.layouts, [&](uint64_t offset) { return offset >= end; });
  core.finish(std::move(finished));
}

absl::Status PredictionWriter::State::lose(const std::vector<Arrival>& arrivals,
                                           const absl::Status& status) {
  if (core.options.full_disk == FullDisk::kRefuse) {
    return base::with_remedy(
        base::annotate(status, "the prediction log takes nothing"),
        fmt::format("free space on the disk of {}; predictions are answered again as soon as "
                    "there is some",
                    core.options.directory.string()));
  }
  for (const Arrival& arrival : arrivals) {
    ++lost[arrival.endpoint];
  }
  return absl::OkStatus();
}

void PredictionWriter::State::take_arrivals(std::vector<Arrival>& out) {
  const std::lock_guard lock(mutex);
  out.insert(out.end(), arrived.begin(), arrived.end());
  arrived.clear();
}

void PredictionWriter::State::close_segment(bool always) {
  const std::lock_guard lock(mutex);
  if (active && active->records > 0 &&
      (always || core.due(active->segment.size(), active->records, active->segment.created_at()))) {
    detach();
  }
}

std::map<uint32_t, uint64_t> PredictionWriter::State::take_lost() {
  const std::lock_guard lock(mutex);
  return std::exchange(lost, {});
}

bool PredictionWriter::State::sync() {
  const std::lock_guard syncing(sync_mutex);
  std::vector<uint32_t> numbers;
  {
    const std::lock_guard lock(mutex);
    for (const WriterSegment& segment : detached) {
      numbers.push_back(segment.segment.number());
    }
    if (active && !unsynced.empty() && unsynced.back().segment == active->segment.number()) {
      numbers.push_back(active->segment.number());
    }
  }
  for (const uint32_t number : numbers) {
    sync_segment(number);
  }
  return !numbers.empty();
}

void PredictionWriter::State::sync_segment(uint32_t number) {
  std::shared_ptr<base::File> file;
  std::vector<UnsyncedTurn> turns;
  {
    const std::lock_guard lock(mutex);
    file = find(number)->segment.file();
    take_turns(number, turns);
  }
  absl::Status status = file->sync();
  {
    const std::lock_guard lock(mutex);
    WriterSegment& segment = *find(number);  // only this function removes it
    const bool is_detached = !active || &segment != &*active;
    if (!status.ok()) {
      // The kernel may have dropped what it could not write: nothing behind the last good sync is
      // believed, and this file is never synced again with it.
      take_turns(number, turns);
      segment.segment.cut(segment.durable_end);
      finish(segment, segment.durable_end);
      remove(number);
      std::vector<Arrival> arrivals;
      for (const UnsyncedTurn& turn_of_it : turns) {
        arrivals.insert(arrivals.end(), turn_of_it.arrivals.begin(), turn_of_it.arrivals.end());
      }
      status = lose(arrivals, status);
    } else {
      for (const UnsyncedTurn& turn_of_it : turns) {
        arrived.insert(arrived.end(), turn_of_it.arrivals.begin(), turn_of_it.arrivals.end());
        segment.durable_end = turn_of_it.end;
      }
      const bool more = std::any_of(unsynced.begin(), unsynced.end(),
                                    [&](const auto& waiting) { return waiting.segment == number; });
      if (is_detached && !more) {
        finish(segment, segment.segment.size());
        remove(number);
      }
    }
  }
  for (UnsyncedTurn& turn_of_it : turns) {
    turn_of_it.done(status);
  }
}

WriterSegment* PredictionWriter::State::find(uint32_t number) {
  if (active && active->segment.number() == number) {
    return &*active;
  }
  const auto found = std::find_if(detached.begin(), detached.end(), [&](const auto& segment) {
    return segment.segment.number() == number;
  });
  return found == detached.end() ? nullptr : &*found;
}

void PredictionWriter::State::remove(uint32_t number) {
  if (active && active->segment.number() == number) {
    active.reset();
  }
  std::erase_if(detached, [&](const auto& segment) { return segment.segment.number() == number; });
}

void PredictionWriter::State::take_turns(uint32_t number, std::vector<UnsyncedTurn>& out) {
  const auto first =
      std::stable_partition(unsynced.begin(), unsynced.end(),
                            [&](const auto& waiting) { return waiting.segment != number; });
  std::move(first, unsynced.end(), std::back_inserter(out));
  unsynced.erase(first, unsynced.end());
}

}  // namespace cromford::feedback
