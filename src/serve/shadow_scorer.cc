#include "serve/shadow_scorer.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "serve/scoring.h"

namespace cromford::serve {
namespace {

constexpr size_t kFreeMax = 256;      // Pieces of work whose memory is kept.
constexpr int kNiceOfTheThread = 10;  // Requests come first.

}  // namespace

struct ShadowScorer::Work {
  std::shared_ptr<const model::Package> package;
  std::shared_ptr<TrafficCounters> counters;
  RowColumns rows;
  std::string texts;  // What `rows` refers to.
};

ShadowScorer::ShadowScorer(base::Clock& clock) : clock_(clock), thread_([this] { run(); }) {}

ShadowScorer::~ShadowScorer() {
  {
    const std::scoped_lock lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void ShadowScorer::add(const Variant& variant, const RowColumns& rows) {
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
  work->rows.copy_from(rows, work->texts);
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
  const auto duration = clock_.monotonic() - start;
  work.counters->count({.rows = work.rows.row_count(),
                        .latency_ns = static_cast<uint64_t>(duration.count()),
                        .unseen = predictions.unseen});
  work.package.reset();
  work.counters.reset();
}

}  // namespace cromford::serve
