#pragma once

// The bytes that were read from a connection and not yet used, in one piece of memory that is kept
// from request to request. `kBodyPadding` readable bytes always follow them.
//
//   const std::span<char> room = buffer.prepare(4096);
//   buffer.commit(read(fd, room.data(), room.size()));
//   buffer.consume(parse(buffer.view()));
//
// Thread safety: belongs to one thread.

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

#include "http/message.h"

namespace cromford::http {

class Buffer {
 public:
  std::string_view view() const { return {memory_.get() + begin_, end_ - begin_}; }
  size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }

  // Room for at least `bytes` more; views into the buffer are invalid afterwards.
  std::span<char> prepare(size_t bytes) {
    if (empty()) {
      begin_ = end_ = 0;
    }
    if (capacity_ - end_ < bytes) {
      make_room(bytes);
    }
    return {memory_.get() + end_, capacity_ - end_};
  }
  void commit(size_t bytes) { end_ += bytes; }
  // Views of what stands behind stay valid until the next prepare().
  void consume(size_t bytes) { begin_ += bytes; }
  void clear() { begin_ = end_ = 0; }
  // Gives the memory back when it is more than `bytes`; only while the buffer is empty.
  void shrink(size_t bytes) {
    if (empty() && capacity_ > bytes) {
      memory_.reset();
      capacity_ = begin_ = end_ = 0;
    }
  }

 private:
  void make_room(size_t bytes) {
    const size_t used = size();
    if (used + bytes <= capacity_) {
      std::memmove(memory_.get(), memory_.get() + begin_, used);
    } else {
      // Zeroed, so that reading the padding is defined.
      auto larger = std::make_unique<char[]>(used + bytes + kBodyPadding);
      if (used > 0) {
        std::memcpy(larger.get(), memory_.get() + begin_, used);
      }
      memory_ = std::move(larger);
      capacity_ = used + bytes;
    }
    begin_ = 0;
    end_ = used;
  }

  std::unique_ptr<char[]> memory_;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace cromford::http
