#pragma once

// A file descriptor that is closed when its owner goes.
//
//   const base::Descriptor file(::open(path, O_RDONLY | O_CLOEXEC));
//   if (file.get() < 0) { return base::errno_status(errno, "open", path); }
//   ::read(file.get(), ...);
//
// Thread safety: belongs to one thread.

#include <unistd.h>

#include <utility>

namespace cromford::base {

class Descriptor {
 public:
  // Takes the descriptor over; a negative number is none.
  explicit Descriptor(int number = -1) : number_(number) {}
  ~Descriptor() { close(); }
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) {
      close();
      number_ = std::exchange(other.number_, -1);
    }
    return *this;
  }

  int get() const { return number_; }
  // What close(2) says; 0 where there is nothing to close.
  int close() { return number_ < 0 ? 0 : ::close(std::exchange(number_, -1)); }

 private:
  int number_;
};

}  // namespace cromford::base
