#include "serve/published.h"

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

namespace cromford::serve {
namespace internal_published {

// Where one thread says that it reads, and since when. Slots are never freed: a thread that ends
// leaves its slot to the next one.
struct alignas(64) Slot {
  std::atomic<uint64_t> epoch{0};  // Of the oldest guard; 0: it does not read.
  std::atomic<bool> taken{true};
  Slot* next = nullptr;
  uint32_t guard_count = 0;  // Used by the slot's thread only.
};

namespace {

struct Retired {
  uint64_t epoch;  // Readers of this epoch and later cannot have seen it.
  std::function<void()> free_it;
};

// Both orders of loads and stores that matter are sequentially consistent: a reader stores its
// epoch and then loads the value; a writer replaces the value and then loads the epochs. So either
// the reader sees the new value, or the writer sees the reader.
struct Domain {
  std::atomic<uint64_t> epoch{1};
  std::atomic<Slot*> slots{nullptr};
  std::atomic<size_t> retired_count{0};
  std::mutex mutex;
  std::vector<Retired> retired;
};

Domain& domain() {
  static auto* const the_domain = new Domain;  // Outlives every thread.
  return *the_domain;
}

Slot* take_slot() {
  Domain& all = domain();
  for (Slot* slot = all.slots.load(); slot != nullptr; slot = slot->next) {
    bool expected = false;
    if (slot->taken.compare_exchange_strong(expected, true)) {
      return slot;
    }
  }
  auto* const slot = new Slot;
  slot->next = all.slots.load();
  while (!all.slots.compare_exchange_weak(slot->next, slot)) {
  }
  return slot;
}

// The slot of this thread, given back when the thread ends.
class ThreadSlot {
 public:
  ThreadSlot() : slot_(take_slot()) {}
  ~ThreadSlot() { slot_->taken.store(false); }
  ThreadSlot(const ThreadSlot&) = delete;
  ThreadSlot& operator=(const ThreadSlot&) = delete;
  Slot* get() const { return slot_; }

 private:
  Slot* slot_;
};

Slot* this_thread_slot() {
  thread_local const ThreadSlot slot;
  return slot.get();
}

// The epoch of the oldest reader; the greatest number where nobody reads.
uint64_t oldest_reader() {
  uint64_t oldest = UINT64_MAX;
  for (Slot* slot = domain().slots.load(); slot != nullptr; slot = slot->next) {
    if (const uint64_t epoch = slot->epoch.load(); epoch != 0) {
      oldest = std::min(oldest, epoch);
    }
  }
  return oldest;
}

}  // namespace

size_t collect() {
  Domain& all = domain();
  std::vector<Retired> free_now;
  size_t left = 0;
  {
    const std::lock_guard lock(all.mutex);
    const uint64_t oldest = oldest_reader();
    const auto keep = std::partition(all.retired.begin(), all.retired.end(),
                                     [&](const Retired& one) { return one.epoch > oldest; });
    free_now.assign(std::make_move_iterator(keep), std::make_move_iterator(all.retired.end()));
    all.retired.erase(keep, all.retired.end());
    left = all.retired.size();
    all.retired_count.store(left, std::memory_order_relaxed);
  }
  for (const Retired& one : free_now) {
    one.free_it();
  }
  return left;
}

void retire(std::function<void()> free_it) {
  Domain& all = domain();
  {
    const std::lock_guard lock(all.mutex);
    all.retired.push_back({all.epoch.fetch_add(1) + 1, std::move(free_it)});
    all.retired_count.store(all.retired.size(), std::memory_order_relaxed);
  }
  collect();
}

}  // namespace internal_published

using internal_published::Slot;

ReadGuard::ReadGuard() : slot_(internal_published::this_thread_slot()) {
  if (slot_->guard_count++ == 0) {
    slot_->epoch.store(internal_published::domain().epoch.load());
  }
}

ReadGuard::~ReadGuard() {
  if (slot_ == nullptr || --slot_->guard_count > 0) {
    return;
  }
  slot_->epoch.store(0, std::memory_order_release);
  if (internal_published::domain().retired_count.load(std::memory_order_relaxed) > 0) {
    internal_published::collect();
  }
}

}  // namespace cromford::serve
