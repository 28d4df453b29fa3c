#pragma once

// A value that many threads read without ever waiting, and that is replaced as a whole.
// (Epoch-based reclamation: K. Fraser, "Practical lock-freedom", 2004, chapter 5.) A reader
// announces itself in a slot of its thread, which costs one atomic store; a replaced value is freed
// once every reader that may have seen it is done.
//
//   Published<Config> config(std::make_unique<const Config>(...));
//   {
//     ReadGuard guard;                              // Readers: announce first,
//     const Config& now = config.get(guard);        // then look; valid while the guard lives.
//   }
//   config.publish(std::make_unique<const Config>(...));   // Writers: one at a time.
//
// Thread safety: as shown. A guard belongs to the thread that made it; guards of one thread may
// overlap.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

namespace cromford::serve {

namespace internal_published {
struct Slot;
}  // namespace internal_published

class ReadGuard {
 public:
  ReadGuard();
  ~ReadGuard();
  ReadGuard(ReadGuard&& other) noexcept : slot_(other.slot_) { other.slot_ = nullptr; }
  ReadGuard& operator=(ReadGuard&&) = delete;
  ReadGuard(const ReadGuard&) = delete;
  ReadGuard& operator=(const ReadGuard&) = delete;

 private:
  internal_published::Slot* slot_;
};

namespace internal_published {
// Calls `free_it` once no reader is left that was there before this call: now, or when a later
// reader leaves.
void retire(std::function<void()> free_it);
// Frees what can be freed; for tests. Gives how many values still wait for a reader.
size_t collect();
}  // namespace internal_published

template <typename T>
class Published {
 public:
  explicit Published(std::unique_ptr<const T> value) : value_(value.release()) {}
  // No reader may be left.
  ~Published() { delete value_.load(); }
  Published(const Published&) = delete;
  Published& operator=(const Published&) = delete;

  const T& get(const ReadGuard&) const { return *value_.load(); }

  void publish(std::unique_ptr<const T> value) {
    const T* old = value_.exchange(value.release());
    internal_published::retire([old] { delete old; });
  }

 private:
  std::atomic<const T*> value_;
};

}  // namespace cromford::serve
