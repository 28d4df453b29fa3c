#pragma once

// The memory that answering a request needs, kept from request to request: the JSON parser, columns
// of rows, ids, the model's workspace. After a few requests of a size, no request allocates.
//
//   thread_local serve::Scratch scratch;
//   TRY(serve::predict_json(context, *endpoint, {.body = body}, scratch, out));
//
// Thread safety: none; one per thread.

#include <memory>

namespace cromford::serve {

class Scratch {
 public:
  struct Impl;

  Scratch();
  ~Scratch();
  Scratch(Scratch&&) noexcept;
  Scratch& operator=(Scratch&&) noexcept;

  Impl& operator*() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace cromford::serve
