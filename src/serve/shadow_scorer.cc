#include "serve/shadow_scorer.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "serve/scoring.h"

namespace cromford::serve {
namespace {

constexpr size_t kFreeMax = 256;      // Pieces of work whose memory is kept.
constexpr int kNiceOfTheThread = 10;  // Requests come first.

}  // namespace

struct ShadowScorer::Work {
  std::shared_ptr<const model::Package> package;
  std::shared_ptr<TrafficCounters> counters;
  std::shared_ptr<BinCounters> bins;
  uint32_t log_layout = 0;
  RowColumns rows;
  std::string texts;            // What `rows` refers to.
  std::vector<size_t> id_ends;  // Within `ids`.
  std::string ids;
  std::vector<base::Time> times;
  base::Time arrival;
};

ShadowScorer::ShadowScorer(base::Clock& clock, PredictionLog* log)
    : clock_(clock), log_(log), thread_([this] { run(); }) {}

ShadowScorer::~ShadowScorer() {
  {
    const std::scoped_lock lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void ShadowScorer::add(const Variant& variant, const RowColumns& rows,
                       std::span<const std::string_view> ids, std::span<const base::Time> times,
                       base::Time arrival) {
  std::unique_ptr<Work> work;
  {
    const std::scoped_lock lock(mutex_);
    if (rows_waiting_ > 0 && rows_waiting_ + rows.row_count() > kRowsWaitingMax) {
      variant.counters->count_left_out(rows.row_count());
      return;
    }
    rows_waiting_ += rows.row_count();
    if (!free_.empty()) {
      work = std::move(free_.back());
      free_.pop_back();
    }
  }
  if (work == nullptr) {
    work = std::make_unique<Work>();
  }
  work->package = variant.spec.package;
  work->counters = variant.counters;
  work->bins = variant.bins;
  work->log_layout = variant.log_layout;
  work->rows.copy_from(rows, work->texts);
  work->ids.clear();
  work->id_ends.clear();
  for (const std::string_view id : ids) {
    work->ids += id;
    work->id_ends.push_back(work->ids.size());
  }
  work->times.assign(times.begin(), times.end());
  work->arrival = arrival;
  {
    const std::scoped_lock lock(mutex_);
    waiting_.push_back(std::move(work));
  }
  changed_.notify_all();
}

void ShadowScorer::wait_until_idle() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return rows_waiting_ == 0; });
}

void ShadowScorer::run() {
  setpriority(PRIO_PROCESS, 0, kNiceOfTheThread);  // On Linux: of this thread alone.
  std::vector<std::unique_ptr<Work>> taken;
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopped_ || !waiting_.empty(); });
    if (stopped_) {
      return;
    }
    taken.swap(waiting_);
    for (std::unique_ptr<Work>& work : taken) {
      if (stopped_) {
        return;
      }
      lock.unlock();
      score(*work);
      lock.lock();
      rows_waiting_ -= work->rows.row_count();
      if (free_.size() < kFreeMax) {
        free_.push_back(std::move(work));
      }
    }
    taken.clear();
    changed_.notify_all();
  }
}

void ShadowScorer::score(Work& work) {
  const auto start = clock_.monotonic();
  const model::Predictions predictions = work.package->predict(work.rows.batch(), workspace_);
  const auto latency_ns = static_cast<uint64_t>((clock_.monotonic() - start).count());
  work.counters->count(
      {.rows = work.rows.row_count(), .latency_ns = latency_ns, .unseen = predictions.unseen});
  work.bins->count(work.rows.batch(), predictions, work.times, work.arrival, latency_ns);
  if (log_ != nullptr) {
    if (const absl::Status status = log(work, predictions, latency_ns); !status.ok()) {
      base::log_warning("what a shadow answered is not logged",
                        {{"error", base::describe(status)}});
    }
  }
  work.package.reset();
  work.counters.reset();
  work.bins.reset();
}

absl::Status ShadowScorer::log(const Work& work, const model::Predictions& predictions,
                               uint64_t latency_ns) {
  TRY(feedback::PredictionWriter* const writer, log_->writer());
  size_t start = 0;
  for (size_t row = 0; row < work.rows.row_count(); ++row) {
    const size_t end = work.id_ends[row];
    const LoggedRow logged{.layout = work.log_layout,
                           .id = std::string_view(work.ids).substr(start, end - start),
                           .event_time = work.times.empty() ? work.arrival : work.times[row],
                           .arrival_time = work.arrival,
                           .latency_ns = latency_ns};
    start = end;
    TRY(log_row(*writer, logged, work.rows, predictions, row, row_));
  }
  return writer->flush();
}

}  // namespace cromford::serve
