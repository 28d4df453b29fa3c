#pragma once

// Content-addressed immutable files: Parquet parts, model packages, reports. An object's name is
// the BLAKE2b-256 hash of its bytes, so the same content is stored once, can be checked at any
// time, and can never change under whoever reads it. One interface and one contract suite
// (objects_contract_test.h) for a directory and later S3.
//
//   TRY(std::unique_ptr<store::Objects> objects, store::open_directory(home->objects(), files));
//   TRY(base::ContentHash hash, objects->put_file(part, store::Take::kMove));
//   TRY(base::MappedFile bytes, objects->open(hash));
//   TRY(std::filesystem::path file, objects->path_of(hash));   // for DuckDB
//
// Thread safety: every method may be called from any thread at any time. Objects are on disk when
// put returns: a put that failed, or that a loss of power interrupted, leaves no object.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/hash.h"
#include "base/mapped_file.h"

namespace cromford::store {

enum class Take {
  kCopy,  // The file stays where it is.
  kMove,  // The file is gone once it is an object; after an error it is still there.
};

struct ObjectInfo {
  base::ContentHash hash;
  uint64_t size_bytes = 0;
  base::Time put_at;  // When it was put for the last time, also where it was there already.
};

class Objects {
 public:
  virtual ~Objects() = default;

  // Stores the content and gives its hash; a damaged object of that name is replaced.
  // RESOURCE_EXHAUSTED where the disk is full.
  virtual absl::StatusOr<base::ContentHash> put_bytes(std::string_view bytes) = 0;
  virtual absl::StatusOr<base::ContentHash> put_file(const std::filesystem::path& file,
                                                     Take take = Take::kCopy) = 0;

  // A readable local file with the object's bytes; valid until the object is removed. Do not write
  // to it. NOT_FOUND names the object.
  virtual absl::StatusOr<std::filesystem::path> path_of(const base::ContentHash& hash) const = 0;
  // The object mapped read-only; stays readable after a remove.
  virtual absl::StatusOr<base::MappedFile> open(const base::ContentHash& hash) const = 0;
  virtual absl::StatusOr<bool> contains(const base::ContentHash& hash) const = 0;

  // Reads the object and compares its hash. DATA_LOSS where the bytes have changed.
  virtual absl::Status verify(const base::ContentHash& hash) const = 0;

  // Removes it; not an error where it is gone already.
  virtual absl::Status remove(const base::ContentHash& hash) = 0;

  // All objects, ordered by hash.
  virtual absl::StatusOr<std::vector<ObjectInfo>> list() const = 0;

  // Removes it unless it was put at `since` or later; whether it is gone. A put never meets a half
  // of it: either the put comes first and the object stays, or the put stores it anew.
  virtual absl::StatusOr<bool> remove_unless_put_since(const base::ContentHash& hash,
                                                       base::Time since) = 0;

 protected:
  Objects() = default;
  Objects(const Objects&) = default;
  Objects& operator=(const Objects&) = default;
};

// Objects in `directory` (made where there is none), as ab/cdef...: the first two hex digits of the
// hash are the folder. `files` must outlive it.
absl::StatusOr<std::unique_ptr<Objects>> open_directory(
    const std::filesystem::path& directory, base::FileSystem& files = base::system_files());

}  // namespace cromford::store
