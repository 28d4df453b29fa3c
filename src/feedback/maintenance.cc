#include "feedback/maintenance.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/status.h"

namespace cromford::feedback {
namespace {

// So many entries go into a new index file at most, or those of one segment.
constexpr size_t kIndexEntriesMax = 1U << 20;
constexpr SegmentKind kKinds[] = {SegmentKind::kPredictions, SegmentKind::kOutcomes};

}  // namespace

absl::Status Maintenance::close(const FinishedSegment& segment) {
  Footer footer = core_.joiner.footer(segment.number);
  footer.layouts = segment.layouts;
  if (footer.records == 0) {
    TRY(core_.options.files->remove(core_.options.directory /
                                    segment_name(segment.kind, segment.number, kOpenSuffix)));
    core_.segments.remove(segment.number);
    return absl::OkStatus();
  }
  TRY(write_footer(
      *core_.options.files,
      core_.options.directory / segment_name(segment.kind, segment.number, kOpenSuffix),
      segment.frames_end, footer));
  TRY(core_.segments.add_closed(segment.kind, segment.number, kOpenSuffix));
  core_.joiner.finish_segment(segment.number);
  unsettled_.push_back({segment.kind, segment.number});
  unindexed_.push_back(segment.number);
  checkpoint_is_due_ = true;
  next_give_up_ = base::Time::min();
  return absl::OkStatus();
}

absl::Status Maintenance::close_finished(std::vector<FinishedSegment> segments) {
  finished_.insert(finished_.end(), std::make_move_iterator(segments.begin()),
                   std::make_move_iterator(segments.end()));
  while (!finished_.empty()) {
    TRY(close(finished_.front()));
    finished_.erase(finished_.begin());
  }
  // An index file says that its records are counted: the checkpoint comes first.
  if (checkpoint_is_due_) {
    TRY(write_checkpoint());
  }
  for (const SegmentKind kind : kKinds) {
    TRY(write_indexes(kind));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Maintenance::settle_one() {
  if (unsettled_.empty()) {
    return false;
  }
  const auto [kind, number] = unsettled_.back();
  TRY(settle_segment(*core_.options.files, core_.options.directory, kind, number));
  unsettled_.pop_back();
  TRY(core_.segments.add_closed(kind, number, kClosedSuffix));
  return !unsettled_.empty();
}

// One file for all segments that were closed since the last time: where many are, on a disk that
// syncs slowly, this keeps up.
absl::Status Maintenance::write_indexes(SegmentKind kind) {
  IndexContent content;
  std::vector<IndexEntry> entries;
  for (size_t i = unindexed_.size(); i > 0 && entries.size() < kIndexEntriesMax; --i) {
    const auto segment = core_.segments.closed(unindexed_[i - 1]);
    if (segment.ok() && (*segment)->header.kind == kind) {
      content.segments.push_back((*segment)->header.number);
      core_.joiner.with_index(kind, [&](Index& index) {
        const std::vector<IndexEntry>& table = index.table_entries(content.segments.back());
        entries.insert(entries.end(), table.begin(), table.end());
      });
    }
  }
  if (content.segments.empty()) {
    return absl::OkStatus();
  }
  std::sort(entries.begin(), entries.end(), before);
  std::sort(content.segments.begin(), content.segments.end());
  content.count_max = entries.size();
  const auto path =
      core_.options.directory / segment_name(kind, content.segments.front(), kIndexSuffix);
  TRY(std::shared_ptr<const IndexFile> file,
      write_index(*core_.options.files, path, content, [&](const IndexSink& sink) {
        std::for_each(entries.begin(), entries.end(), sink);
      }));
  core_.joiner.with_index(kind,
                          [&](Index& index) { index.replace_tables(content.segments, file); });
  std::erase_if(unindexed_, [&](uint32_t number) {
    return std::binary_search(content.segments.begin(), content.segments.end(), number);
  });
  return write_indexes(kind);
}

absl::Status Maintenance::write_checkpoint() {
  Checkpoint checkpoint = core_.joiner.checkpoint();
  checkpoint.next_number = core_.next_number;
  std::erase_if(checkpoint.progress,
                [&](const auto& entry) { return !core_.segments.contains(entry.first); });
  checkpoint.removed = removed_;
  TRY(base::write_atomically(*core_.options.files, core_.options.directory / kCheckpointName,
                             encode_checkpoint(checkpoint)));
  checkpoint_is_due_ = false;
  return absl::OkStatus();
}

absl::Status Maintenance::give_up_outcomes() {
  const base::Time now = core_.options.clock->now();
  if (now < next_give_up_) {
    return absl::OkStatus();
  }
  next_give_up_ = base::Time::max();
  for (const ClosedSegmentPtr& segment : core_.segments.all_closed(SegmentKind::kOutcomes)) {
    const uint32_t number = segment->header.number;
    if (number <= core_.joiner.given_up_through()) {
      continue;
    }
    const base::Time deadline = segment->footer.last_arrival + core_.options.waiting_max;
    if (deadline >= now) {
      next_give_up_ = deadline;
      return absl::OkStatus();
    }
    TRY(SegmentScanner scanner, SegmentScanner::create(segment->file->text()));
    core_.joiner.give_up(number, [&](const Joiner::OutcomeVisitor& visit) {
      Frame frame;
      while (scanner.next(frame)) {
        const auto outcome = frame.type == FrameType::kOutcome
                                 ? decode_outcome(frame.payload)
                                 : absl::StatusOr<OutcomeView>(base::damaged("no outcome"));
        if (outcome.ok()) {
          visit(outcome->endpoint, outcome->id);
        }
      }
    });
    TRY(write_checkpoint());
  }
  return absl::OkStatus();
}

bool Maintenance::is_dead(uint32_t number) const {
  const auto removed = removed_.find(number);
  return removed != removed_.end() && removed->second <= given_up_through_;
}

absl::Status Maintenance::merge(SegmentKind kind, const Index::Files& old) {
  IndexContent content;
  for (const auto& file : old) {
    const absl::Status whole = file->check();
    if (!whole.ok()) {
      // Not merged into others; without its file, the next start makes it again.
      core_.joiner.with_index(kind, [&](Index& index) { index.set_aside(file); });
      base::log_error("an index of the log is damaged", {{"error", base::describe(whole)}});
      return core_.options.files->remove(file->path());
    }
    content.count_max += file->count();
    content.level = std::max(content.level, file->level() + 1);
    for (const uint32_t number : file->segments()) {
      if (!is_dead(number)) {
        content.segments.push_back(number);
      }
    }
  }
  std::sort(content.segments.begin(), content.segments.end());
  const auto path =
      core_.options.directory / segment_name(kind, core_.next_number.fetch_add(1), kIndexSuffix);
  TRY(std::shared_ptr<const IndexFile> merged,
      write_index(*core_.options.files, path, content, [&](const IndexSink& sink) {
        merge_entries(old, [&](uint32_t number) { return !is_dead(number); }, sink);
      }));
  core_.joiner.with_index(kind, [&](Index& index) { index.replace_files(old, merged); });
  for (const auto& file : old) {
    TRY(core_.options.files->remove(file->path()));
  }
  return absl::OkStatus();
}

absl::Status Maintenance::drop_dead_indexes(SegmentKind kind) {
  Index::Files dead;
  core_.joiner.with_index(kind, [&](Index& index) {
    for (const auto& file : index.files()) {
      const auto& numbers = file->segments();
      if (std::all_of(numbers.begin(), numbers.end(),
                      [&](uint32_t number) { return is_dead(number); })) {
        dead.push_back(file);
      }
    }
    index.replace_files(dead, nullptr);
  });
  for (const auto& file : dead) {
    TRY(core_.options.files->remove(file->path()));
    for (const uint32_t number : file->segments()) {
      removed_.erase(number);
    }
  }
  return absl::OkStatus();
}

absl::Status Maintenance::merge_indexes() {
  given_up_through_ = core_.joiner.given_up_through();
  for (const SegmentKind kind : kKinds) {
    TRY(drop_dead_indexes(kind));
    while (true) {
      Index::Files due;
      core_.joiner.with_index(kind, [&](Index& index) { due = index.due_for_merge(); });
      if (due.empty()) {
        break;
      }
      TRY(merge(kind, due));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> Maintenance::remove(const ClosedSegment& segment) {
  const uint32_t number = segment.header.number;
  const uint64_t bytes = segment.file->bytes().size();
  TRY(core_.options.files->remove(segment.path));
  core_.segments.remove(number);
  removed_[number] = core_.next_number - 1;
  return bytes;
}

absl::StatusOr<uint64_t> Maintenance::retain(const Retention& retention) {
  std::vector<ClosedSegmentPtr> segments;
  uint64_t bytes = 0;
  for (const SegmentKind kind : kKinds) {
    for (ClosedSegmentPtr& segment : core_.segments.all_closed(kind)) {
      bytes += segment->file->bytes().size();
      segments.push_back(std::move(segment));
    }
  }
  std::sort(segments.begin(), segments.end(),
            [](const auto& a, const auto& b) { return a->header.number < b->header.number; });
  const base::Time now = core_.options.clock->now();
  uint64_t freed = 0;
  for (const ClosedSegmentPtr& segment : segments) {
    const bool too_old =
        retention.age.count() > 0 && segment->footer.last_arrival + retention.age < now;
    const bool too_much = retention.bytes > 0 && bytes - freed > retention.bytes;
    const bool is_indexed =
        std::find(unindexed_.begin(), unindexed_.end(), segment->header.number) == unindexed_.end();
    const bool is_settled = segment->path.extension() == kClosedSuffix;
    if ((too_old || too_much) && is_indexed && is_settled) {
      TRY(const uint64_t size, remove(*segment));
      freed += size;
    }
  }
  if (freed > 0) {
    TRY(core_.options.files->sync_directory(core_.options.directory));
    TRY(write_checkpoint());
  }
  return freed;
}

}  // namespace cromford::feedback
