#pragma once

// A number of the calling thread, counted up from 0: which part of a sharded counter is its own.
//
//   Shard& shard = shards_[thread_number() % shard_count_];
//
// Thread safety: any thread.

#include <cstddef>

namespace cromford::serve {

// As many parts as the machine has cores, 1 to 16.
size_t shard_count();

size_t thread_number();

}  // namespace cromford::serve
