#include "feedback/recovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "base/log.h"
#include "base/status.h"

namespace cromford::feedback {
namespace {

constexpr std::string_view kQuarantine = "quarantine";
constexpr uint64_t kQuarantineBytesMax = 64ULL << 30;

// What is needed of an endpoint for each of its records.
struct KnownEndpoint {
  uint32_t number = 0;
  uint64_t seed = 0;
};

class KnownEndpoints {
 public:
  explicit KnownEndpoints(Joiner& joiner) : joiner_(joiner) {}

  const KnownEndpoint& find(std::string_view name) {
    if (last_ == nullptr || last_name_ != name) {
      last_name_ = name;
      const auto [found, is_new] = endpoints_.try_emplace(last_name_);
      if (is_new) {
        found->second = {joiner_.endpoint(name), endpoint_seed(name)};
      }
      last_ = &found->second;
    }
    return *last_;
  }

 private:
  Joiner& joiner_;
  std::unordered_map<std::string, KnownEndpoint> endpoints_;
  std::string last_name_;
  const KnownEndpoint* last_ = nullptr;
};

// A record where it stands, for index and footer.
struct PlacedRecord {
  IndexEntry entry;
  uint32_t endpoint = 0;
  uint64_t offset = 0;
  uint64_t end = 0;
  const OutcomeView* outcome = nullptr;  // nullptr of a prediction
};
using RecordVisitor = std::function<void(const PlacedRecord&)>;

PlacedRecord place(const KnownEndpoint& endpoint, std::string_view id, base::Time time,
                   base::Time arrival, uint32_t segment, const Frame& frame) {
  return {.entry = {fingerprint(endpoint.seed, id), time.time_since_epoch().count(),
                    arrival.time_since_epoch().count(), segment,
                    static_cast<uint32_t>(frame.offset / 8)},
          .endpoint = endpoint.number,
          .offset = frame.offset,
          .end = frame.offset + frame_bytes(frame.payload.size())};
}

// Calls `visit` with each record that can be read; `layouts_at` gets where the layouts stand.
void visit_records(SegmentScanner& scanner, KnownEndpoints& endpoints, const RecordVisitor& visit,
                   std::vector<uint64_t>& layouts_at) {
  const uint32_t segment = scanner.header().number;
  std::unordered_map<uint32_t, KnownEndpoint> layouts;
  Frame frame;
  while (scanner.next(frame)) {
    if (frame.type == FrameType::kLayout) {
      const auto layout = decode_layout(frame.payload);
      if (layout.ok()) {
        layouts_at.push_back(frame.offset);
        layouts[layout->number] = endpoints.find(layout->layout.endpoint);
      }
    } else if (frame.type == FrameType::kPrediction) {
      const auto view = view_prediction(frame.payload);
      const auto layout = view.ok() ? layouts.find(view->layout) : layouts.end();
      if (layout != layouts.end()) {
        visit(
            place(layout->second, view->id, view->event_time, view->arrival_time, segment, frame));
      }
    } else if (frame.type == FrameType::kOutcome) {
      const auto outcome = decode_outcome(frame.payload);
      if (outcome.ok()) {
        PlacedRecord record = place(endpoints.find(outcome->endpoint), outcome->id, outcome->at,
                                    outcome->arrival_time, segment, frame);
        record.outcome = &*outcome;
        visit(record);
      }
    }
  }
}

base::Time time_of(int64_t us) {
  return base::Time(std::chrono::microseconds(us));
}

class Recovery {
 public:
  explicit Recovery(Core& core)
      : core_(core), files_(*core.options.files), endpoints_(core.joiner) {}

  absl::StatusOr<Recovered> run();

 private:
  absl::Status read_checkpoint();
  absl::Status open_segments(const std::vector<std::string>& names);
  absl::Status repair(SegmentKind kind, uint32_t number, const std::filesystem::path& path);
  absl::Status repair_closed(SegmentKind kind, uint32_t number);
  absl::Status rebuild(const base::MappedFile& file, SegmentKind kind, uint32_t number,
                       const std::filesystem::path& path);
  absl::Status add_unsettled(SegmentKind kind, uint32_t number);
  absl::Status quarantine(const std::filesystem::path& path, uint64_t offset, uint64_t bytes,
                          std::string_view reason);
  absl::Status load_indexes(const std::vector<std::string>& names);
  void restore_segment(const ClosedSegment& segment);
  void replay();

  Core& core_;
  base::FileSystem& files_;
  KnownEndpoints endpoints_;
  Recovered result_;
  std::optional<Checkpoint> checkpoint_;
  std::set<uint32_t> indexed_;
  // Records behind the checkpoint.
  std::vector<Arrival> predictions_;
  struct NewOutcome {
    uint32_t endpoint;
    IndexEntry entry;
    std::shared_ptr<const base::MappedFile> file;
    OutcomeView outcome;
  };
  std::vector<NewOutcome> outcomes_;
};

absl::Status Recovery::quarantine(const std::filesystem::path& path, uint64_t offset,
                                  uint64_t bytes, std::string_view reason) {
  const auto directory = core_.options.directory / kQuarantine;
  TRY(files_.create_directories(directory));
  const auto copy = directory / path.filename();
  if (!files_.exists(copy)) {
    TRY(const std::string content, files_.read(path, kQuarantineBytesMax));
    TRY(base::write_atomically(files_, copy, content));
  }
  base::log_error("the log is damaged", {{"file", path.string()},
                                         {"offset", offset},
                                         {"bytes", bytes},
                                         {"reason", reason},
                                         {"kept_as", copy.string()}});
  result_.report.faults.push_back({path, offset, bytes, std::string(reason), copy});
  return absl::OkStatus();
}

absl::Status Recovery::read_checkpoint() {
  const auto path = core_.options.directory / kCheckpointName;
  if (!files_.exists(path)) {
    return absl::OkStatus();
  }
  TRY(const std::string bytes, files_.read(path));
  auto checkpoint = decode_checkpoint(bytes);
  if (!checkpoint.ok()) {
    return quarantine(path, 0, bytes.size(), base::message(checkpoint.status()));
  }
  checkpoint_ = *std::move(checkpoint);
  return absl::OkStatus();
}

// Gives a file its footer: its whole frames stay where they are, the torn tail goes.
absl::Status Recovery::rebuild(const base::MappedFile& file, SegmentKind kind, uint32_t number,
                               const std::filesystem::path& path) {
  TRY(SegmentScanner scanner, SegmentScanner::create(file.text()));
  Footer footer;
  std::map<uint32_t, Footer::Share> shares;
  uint64_t end = kSegmentHeaderBytes;
  const auto note = [&](const PlacedRecord& record) {
    const base::Time time = time_of(record.entry.time_us);
    const base::Time arrival = time_of(record.entry.arrival_us);
    Footer::Share& share = shares[record.endpoint];
    share.first_event = share.records == 0 ? time : std::min(share.first_event, time);
    share.last_event = share.records == 0 ? time : std::max(share.last_event, time);
    share.last_arrival = share.records == 0 ? arrival : std::max(share.last_arrival, arrival);
    ++share.records;
    end = record.end;
  };
  visit_records(scanner, endpoints_, note, footer.layouts);
  for (const Gap& gap : scanner.gaps()) {
    TRY(quarantine(path, gap.offset, gap.bytes, "damaged records between whole ones"));
  }
  const uint64_t tail = file.text().size() - scanner.end();
  if (!scanner.tail_is_torn()) {
    TRY(quarantine(path, scanner.end(), tail, "a damaged record at the end"));
  } else {
    result_.report.torn_bytes += tail;
  }
  const std::vector<std::string> names = core_.joiner.endpoints();
  for (auto& [endpoint, share] : shares) {
    share.endpoint = names[endpoint];
    footer.records += share.records;
    footer.last_arrival = std::max(footer.last_arrival, share.last_arrival);
    footer.shares.push_back(std::move(share));
  }
  std::erase_if(footer.layouts, [&](uint64_t offset) { return offset >= end; });
  if (footer.records == 0 && scanner.gaps().empty()) {
    return files_.remove(path);
  }
  TRY(write_footer(files_, path, end, footer));
  return add_unsettled(kind, number);
}

absl::Status Recovery::add_unsettled(SegmentKind kind, uint32_t number) {
  result_.unsettled.push_back({kind, number});
  return core_.segments.add_closed(kind, number, kOpenSuffix);
}

absl::Status Recovery::repair(SegmentKind kind, uint32_t number,
                              const std::filesystem::path& path) {
  TRY(const base::MappedFile file, base::MappedFile::open(path));
  const auto header = decode_header(file.text());
  if (read_footer(file.text()).ok()) {
    return add_unsettled(kind, number);
  }
  ++result_.report.segments_scanned;
  if (header.ok() && header->kind == kind && header->number == number) {
    return rebuild(file, kind, number, path);
  }
  const std::string_view text = file.text();
  const bool torn = text.size() < kSegmentHeaderBytes ||
                    std::all_of(text.begin(), text.end(), [](char byte) { return byte == 0; });
  if (torn) {
    result_.report.torn_bytes += text.size();
  } else {
    TRY(quarantine(path, 0, text.size(),
                   header.ok() ? "it is another segment" : base::message(header.status())));
  }
  return files_.remove(path);
}

absl::Status Recovery::repair_closed(SegmentKind kind, uint32_t number) {
  const auto path = core_.options.directory / segment_name(kind, number, kClosedSuffix);
  TRY(const uint64_t bytes, files_.size(path));
  TRY(quarantine(path, 0, bytes, "its footer is damaged"));
  const auto open = core_.options.directory / segment_name(kind, number, kOpenSuffix);
  TRY(files_.rename(path, open));
  return repair(kind, number, open);
}

absl::Status Recovery::open_segments(const std::vector<std::string>& names) {
  uint32_t last = 0;
  for (const std::string& name : names) {
    const auto path = core_.options.directory / name;
    if (name.ends_with(".tmp")) {
      TRY(files_.remove(path));
    }
    const auto parsed = parse_segment_name(name);
    if (!parsed) {
      continue;
    }
    last = std::max(last, parsed->number);
    if (parsed->suffix == kOpenSuffix) {
      TRY(repair(parsed->kind, parsed->number, path));
    }
    if (parsed->suffix != kClosedSuffix) {
      continue;
    }
    const absl::Status status =
        core_.segments.add_closed(parsed->kind, parsed->number, kClosedSuffix);
    if (status.code() == absl::StatusCode::kDataLoss) {
      TRY(repair_closed(parsed->kind, parsed->number));
    } else {
      TRY(status);
    }
  }
  const uint32_t promised = checkpoint_ ? checkpoint_->next_number : 1;
  core_.next_number = std::max(promised, last + 1);
  return absl::OkStatus();
}

// Index files are believed where the counts cover all that they know; what a merged one knows
// already goes.
absl::Status Recovery::load_indexes(const std::vector<std::string>& names) {
  struct Loaded {
    SegmentKind kind;
    std::shared_ptr<const IndexFile> file;
  };
  std::vector<Loaded> loaded;
  for (const std::string& name : names) {
    const auto parsed = parse_segment_name(name);
    if (!parsed || parsed->suffix != kIndexSuffix) {
      continue;
    }
    const auto path = core_.options.directory / name;
    auto file = IndexFile::open(path);
    if (!file.ok()) {
      base::log_warning("an index of the log is made again",
                        {{"error", base::describe(file.status())}});
      TRY(files_.remove(path));
      continue;
    }
    loaded.push_back({parsed->kind, *std::move(file)});
  }
  std::stable_sort(loaded.begin(), loaded.end(), [](const Loaded& a, const Loaded& b) {
    return a.file->segments().size() > b.file->segments().size();
  });
  for (const Loaded& index : loaded) {
    const auto counted = [&](uint32_t number) {
      const bool exists = core_.segments.contains(number);
      if (!checkpoint_) {
        return index.kind == SegmentKind::kPredictions || !exists;
      }
      const auto progress = checkpoint_->progress.find(number);
      return !exists || (progress != checkpoint_->progress.end() && progress->second == kWhole);
    };
    const auto& numbers = index.file->segments();
    const bool is_new = std::none_of(numbers.begin(), numbers.end(),
                                     [&](uint32_t number) { return indexed_.contains(number); });
    if (!is_new || !std::all_of(numbers.begin(), numbers.end(), counted)) {
      TRY(files_.remove(index.file->path()));
      continue;
    }
    indexed_.insert(numbers.begin(), numbers.end());
    core_.joiner.with_index(index.kind, [&](Index& known) { known.add_file(index.file); });
    for (const uint32_t number : numbers) {
      if (!core_.segments.contains(number)) {
        result_.removed.emplace(number, core_.next_number - 1);
      }
    }
  }
  return absl::OkStatus();
}

void Recovery::restore_segment(const ClosedSegment& segment) {
  const uint32_t number = segment.header.number;
  if (indexed_.contains(number)) {
    if (!checkpoint_) {
      for (const Footer::Share& share : segment.footer.shares) {
        core_.joiner.count(core_.joiner.endpoint(share.endpoint),
                           [&](auto& statistics) { statistics.predictions += share.records; });
      }
    }
    return;
  }
  result_.unindexed.push_back(number);
  uint64_t covered = 0;
  if (checkpoint_) {
    const auto progress = checkpoint_->progress.find(number);
    covered = progress == checkpoint_->progress.end() ? 0 : progress->second;
  }
  auto scanner = SegmentScanner::create(segment.file->text());
  std::vector<uint64_t> layouts;
  visit_records(
      *scanner, endpoints_,
      [&](const PlacedRecord& record) {
        const bool is_counted = record.offset < covered;
        if (record.outcome == nullptr && is_counted) {
          core_.joiner.restore_prediction(record.entry);
        } else if (record.outcome == nullptr) {
          predictions_.push_back({record.entry, record.endpoint});
        } else if (is_counted) {
          core_.joiner.restore_outcome(record.entry, *record.outcome);
        } else {
          outcomes_.push_back({record.endpoint, record.entry, segment.file, *record.outcome});
        }
      },
      layouts);
}

void Recovery::replay() {
  core_.joiner.add_predictions(predictions_);
  for (const NewOutcome& outcome : outcomes_) {
    core_.joiner.add_outcome(outcome.endpoint, outcome.entry, outcome.outcome);
  }
}

absl::StatusOr<Recovered> Recovery::run() {
  TRY(files_.create_directories(core_.options.directory));
  TRY(read_checkpoint());
  TRY(const std::vector<std::string> names, files_.list(core_.options.directory));
  TRY(open_segments(names));
  if (checkpoint_) {
    core_.joiner.restore(*checkpoint_);
    result_.removed = checkpoint_->removed;
  }
  TRY(load_indexes(names));
  std::vector<ClosedSegmentPtr> all = core_.segments.all_closed(SegmentKind::kPredictions);
  const std::vector<ClosedSegmentPtr> outcomes = core_.segments.all_closed(SegmentKind::kOutcomes);
  all.insert(all.end(), outcomes.begin(), outcomes.end());
  for (const ClosedSegmentPtr& segment : all) {
    restore_segment(*segment);
  }
  replay();
  for (const ClosedSegmentPtr& segment : all) {
    core_.joiner.finish_segment(segment->header.number);
  }
  result_.report.segments = all.size();
  return std::move(result_);
}

}  // namespace

absl::StatusOr<Recovered> recover(Core& core) {
  return Recovery(core).run();
}

}  // namespace cromford::feedback
