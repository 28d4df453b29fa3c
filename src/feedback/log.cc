#include "feedback/log.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <future>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "feedback/core.h"
#include "feedback/log_access.h"
#include "feedback/maintenance.h"
#include "feedback/outcome_committer.h"
#include "feedback/recovery.h"
#include "feedback/writer_state.h"

namespace cromford::feedback {
namespace {

Outcome owned(const OutcomeView& view) {
  return {.id = std::string(view.id),
          .is_number = view.is_number,
          .text = std::string(view.text),
          .number = view.number,
          .at = view.at,
          .arrival_time = view.arrival_time};
}

Prediction owned(const PredictionView& view, const PredictionValues& values, Layout layout) {
  Prediction prediction{.layout = std::move(layout),
                        .id = std::string(view.id),
                        .event_time = view.event_time,
                        .arrival_time = view.arrival_time,
                        .key = std::string(view.key),
                        .request_id = std::string(view.request_id),
                        .latency_us = view.latency_us,
                        .numbers = values.numbers,
                        .texts = {},
                        .answer = values.answer,
                        .label = view.label};
  for (const std::string_view text : values.texts) {
    prediction.texts.push_back(text.data() == nullptr ? std::nullopt
                                                      : std::optional<std::string>(text));
  }
  return prediction;
}

// Waits to be woken: one thread that syncs for all writers.
class Syncer {
 public:
  explicit Syncer(std::function<bool()> sync_all)
      : sync_all_(std::move(sync_all)), thread_([this] { run(); }) {}
  ~Syncer() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  void wake() {
    const std::lock_guard lock(mutex_);
    woken_ = true;
    changed_.notify_all();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (!stopped_ || woken_) {
      changed_.wait(lock, [&] { return woken_ || stopped_; });
      woken_ = false;
      lock.unlock();
      while (sync_all_()) {
      }
      lock.lock();
    }
  }

  const std::function<bool()> sync_all_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = false;
  bool stopped_ = false;
  std::thread thread_;
};

class FileLog final : public LogAccess {
 public:
  explicit FileLog(const LogOptions& options) : core_(options) {}
  ~FileLog() override;
  absl::Status start();

  const RecoveryReport& recovery() const override { return recovery_; }
  uint32_t declare(const Layout& layout) override;
  PredictionWriter& writer(size_t index) override { return *writers_[index]; }
  absl::StatusOr<OutcomeReceipt> add_outcomes(std::string_view endpoint, const OutcomeRule& rule,
                                              std::span<const OutcomeRecord> outcomes) override;
  void add_outcomes(std::string_view endpoint, const OutcomeRule& rule,
                    std::span<const OutcomeRecord> outcomes, OutcomeCommitter::Done done) override;
  absl::StatusOr<FoundPrediction> find(std::string_view endpoint, std::string_view id) override;
  EndpointStatistics statistics(std::string_view endpoint) override;
  std::vector<std::string> endpoints() override { return core_.joiner.endpoints(); }
  std::vector<SegmentShare> segments(std::string_view endpoint) override;
  uint64_t size_bytes() override;
  absl::Status seal() override;
  absl::Status maintain() override;
  absl::StatusOr<uint64_t> retain(const Retention& retention) override;

  Core& core() override { return core_; }
  void take_arrivals() override;
  absl::StatusOr<std::vector<Outcome>> outcomes_of(std::string_view endpoint,
                                                   std::string_view id) override;

 private:
  bool sync_all();
  absl::Status maintain_locked();
  absl::StatusOr<Prediction> read_prediction(const IndexEntry& entry);
  void keep();

  Core core_;
  RecoveryReport recovery_;
  std::vector<std::unique_ptr<PredictionWriter>> writers_;
  std::mutex arrivals_mutex_;
  std::vector<Arrival> arrivals_;
  std::mutex maintenance_mutex_;
  std::optional<Maintenance> maintenance_;
  std::unique_ptr<Syncer> syncer_;
  std::unique_ptr<OutcomeCommitter> committer_;
  std::thread keeper_;
};

absl::Status FileLog::start() {
  TRY(Recovered recovered, recover(core_));
  recovery_ = recovered.report;
  maintenance_.emplace(core_, std::move(recovered));
  TRY(maintenance_->write_checkpoint());
  for (size_t i = 0; i < core_.options.writers; ++i) {
    writers_.push_back(
        std::make_unique<PredictionWriter>(std::make_unique<PredictionWriter::State>(core_)));
  }
  if (core_.options.durability == Durability::kDisk) {
    syncer_ = std::make_unique<Syncer>([this] { return sync_all(); });
    for (const auto& writer : writers_) {
      writer->state().wake_syncer = [this] { syncer_->wake(); };
    }
  }
  committer_ = std::make_unique<OutcomeCommitter>(core_, [this] { take_arrivals(); });
  if (core_.options.background) {
    keeper_ = std::thread([this] { keep(); });
  }
  return absl::OkStatus();
}

FileLog::~FileLog() {
  core_.stop();
  if (keeper_.joinable()) {
    keeper_.join();
  }
  committer_.reset();
  if (maintenance_) {
    const absl::Status status = seal();
    if (!status.ok()) {
      base::log_warning("the log is closed by the next start", {{"error", base::describe(status)}});
    }
  }
  syncer_.reset();
}

void FileLog::keep() {
  std::string last_error;
  while (core_.wait()) {
    const absl::Status status = maintain();
    const std::string error = status.ok() ? std::string() : base::describe(status);
    if (!error.empty() && error != last_error) {
      base::log_error("the upkeep of the log failed and is tried again", {{"error", error}});
    }
    last_error = error;
  }
}

bool FileLog::sync_all() {
  bool any = false;
  for (const auto& writer : writers_) {
    any = writer->state().sync() || any;
  }
  return any;
}

void FileLog::take_arrivals() {
  const std::lock_guard lock(arrivals_mutex_);
  for (const auto& writer : writers_) {
    arrivals_.clear();
    writer->state().take_arrivals(arrivals_);
    core_.joiner.add_predictions(arrivals_);
    for (const auto& [endpoint, lost] : writer->state().take_lost()) {
      core_.joiner.count(endpoint,
                         [&](EndpointStatistics& counts) { counts.predictions_lost += lost; });
    }
  }
}

uint32_t FileLog::declare(const Layout& layout) {
  return core_.layouts.declare(layout, core_.joiner.endpoint(layout.endpoint));
}

absl::StatusOr<OutcomeReceipt> FileLog::add_outcomes(std::string_view endpoint,
                                                     const OutcomeRule& rule,
                                                     std::span<const OutcomeRecord> outcomes) {
  std::promise<absl::StatusOr<OutcomeReceipt>> promise;
  auto result = promise.get_future();
  committer_->add(endpoint, rule, outcomes, [&](absl::StatusOr<OutcomeReceipt> receipt) {
    promise.set_value(std::move(receipt));
  });
  return result.get();
}

void FileLog::add_outcomes(std::string_view endpoint, const OutcomeRule& rule,
                           std::span<const OutcomeRecord> outcomes, OutcomeCommitter::Done done) {
  committer_->add(endpoint, rule, outcomes, std::move(done));
}

absl::StatusOr<Prediction> FileLog::read_prediction(const IndexEntry& entry) {
  TRY(const ReadFrame read, core_.segments.read(entry.segment, uint64_t{entry.offset} * 8));
  TRY(const PredictionView view, view_prediction(read.frame.payload));
  std::optional<Layout> layout;
  const auto closed = core_.segments.closed(entry.segment);
  if (closed.ok()) {
    auto layouts = read_layouts(**closed);
    if (const auto found = layouts.find(view.layout); found != layouts.end()) {
      layout = std::move(found->second);
    }
  } else if (const DeclaredLayout* declared = core_.layouts.find(view.layout)) {
    layout = declared->layout;  // An open segment is one of this process.
  }
  if (!layout) {
    return base::damaged(
        fmt::format("the layout of a prediction in segment {} is lost", entry.segment));
  }
  PredictionValues values;
  TRY(decode_values(view, shape_of(*layout), values));
  return owned(view, values, *std::move(layout));
}

absl::StatusOr<std::vector<Outcome>> FileLog::outcomes_of(std::string_view endpoint,
                                                          std::string_view id) {
  std::vector<IndexEntry> entries;
  core_.joiner.find(SegmentKind::kOutcomes, fingerprint(endpoint_seed(endpoint), id), entries);
  std::vector<Outcome> outcomes;
  for (const IndexEntry& entry : entries) {
    const auto read = core_.segments.read(entry.segment, uint64_t{entry.offset} * 8);
    if (read.status().code() == absl::StatusCode::kNotFound) {
      continue;  // Retention took it.
    }
    TRY(read);
    TRY(const OutcomeView view, decode_outcome(read->frame.payload));
    if (view.endpoint == endpoint && view.id == id) {
      outcomes.push_back(owned(view));
    }
  }
  std::sort(outcomes.begin(), outcomes.end(), [](const Outcome& a, const Outcome& b) {
    return std::tie(a.at, a.arrival_time) > std::tie(b.at, b.arrival_time);
  });
  return outcomes;
}

absl::StatusOr<FoundPrediction> FileLog::find(std::string_view endpoint, std::string_view id) {
  take_arrivals();
  std::vector<IndexEntry> entries;
  core_.joiner.find(SegmentKind::kPredictions, fingerprint(endpoint_seed(endpoint), id), entries);
  std::optional<Prediction> first;
  for (const IndexEntry& entry : entries) {
    auto prediction = read_prediction(entry);
    if (prediction.status().code() == absl::StatusCode::kNotFound) {
      continue;  // Retention took it.
    }
    TRY(prediction);
    if (prediction->id == id && prediction->layout.endpoint == endpoint &&
        (!first || prediction->arrival_time < first->arrival_time)) {
      first = *std::move(prediction);
    }
  }
  if (!first) {
    return base::not_found(fmt::format("no prediction '{}' is in the log of {}", id, endpoint),
                           "it may be older than the log is kept");
  }
  TRY(std::vector<Outcome> outcomes, outcomes_of(endpoint, id));
  return FoundPrediction{*std::move(first), std::move(outcomes)};
}

EndpointStatistics FileLog::statistics(std::string_view endpoint) {
  take_arrivals();
  return core_.joiner.statistics(endpoint);
}

std::vector<SegmentShare> FileLog::segments(std::string_view endpoint) {
  std::vector<SegmentShare> shares;
  for (const ClosedSegmentPtr& segment : core_.segments.all_closed(SegmentKind::kPredictions)) {
    for (const Footer::Share& share : segment->footer.shares) {
      if (share.endpoint == endpoint) {
        shares.push_back({segment->header.number, share.records, share.first_event,
                          share.last_event, share.last_arrival});
      }
    }
  }
  return shares;
}

uint64_t FileLog::size_bytes() {
  uint64_t bytes = 0;
  const auto names = core_.options.files->list(core_.options.directory);
  if (names.ok()) {
    for (const std::string& name : *names) {
      const bool is_ours = name == kCheckpointName || parse_segment_name(name).has_value();
      bytes += is_ours ? core_.options.files->size(core_.options.directory / name).value_or(0) : 0;
    }
  }
  return bytes;
}

absl::Status FileLog::maintain_locked() {
  // First the list, then the arrivals: those of a finished segment were visible before it was
  // finished.
  std::vector<FinishedSegment> finished = core_.take_finished();
  take_arrivals();
  TRY(maintenance_->close_finished(std::move(finished)));
  TRY(const bool more, maintenance_->settle_one());
  if (more) {
    core_.wake();
  }
  TRY(maintenance_->give_up_outcomes());
  return maintenance_->merge_indexes();
}

absl::Status FileLog::seal() {
  const std::lock_guard lock(maintenance_mutex_);
  for (const auto& writer : writers_) {
    writer->state().close_segment(true);
    while (writer->state().sync()) {
    }
  }
  if (committer_ != nullptr) {
    committer_->close_segment(true);
  }
  TRY(maintain_locked());
  for (bool more = true; more;) {
    TRY(more, maintenance_->settle_one());
  }
  return absl::OkStatus();
}

absl::Status FileLog::maintain() {
  const std::lock_guard lock(maintenance_mutex_);
  for (const auto& writer : writers_) {
    writer->state().close_segment(false);
  }
  committer_->close_segment(false);
  return maintain_locked();
}

absl::StatusOr<uint64_t> FileLog::retain(const Retention& retention) {
  const std::lock_guard lock(maintenance_mutex_);
  return maintenance_->retain(retention);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Log>> Log::open(const LogOptions& options) {
  if (options.writers == 0 || options.segment_bytes == 0 || options.segment_records == 0 ||
      options.segment_bytes > (4ULL << 30)) {
    return base::invalid("a log needs a writer and segments of 1 byte to 4 GiB");
  }
  auto log = std::make_unique<FileLog>(options);
  TRY(log->start());
  return log;
}

}  // namespace cromford::feedback
