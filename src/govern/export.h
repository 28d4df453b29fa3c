#pragma once

// The audit log as one file, for whoever must not have to trust the server: every entry in order,
// the personal parts that are not erased, and the signed checkpoint over all of it at the end
// (docs/formats/audit.md). Its verification needs nothing but the file; what a forger with the key
// could do it tells only with an older checkpoint or the public key from elsewhere.
//
//   TRY(const ExportReport report, verify_export(bytes, {.old_checkpoint = text}));
//
// Thread safety: functions only.

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/file_system.h"
#include "govern/audit_log.h"
#include "govern/checkpoint.h"
#include "store/metadata.h"

namespace cromford::govern {

// Gives the entries 0 to `size` - 1 in order, their exact bytes. DATA_LOSS where one is missing.
absl::Status for_each_entry(
    const store::Metadata& metadata, uint64_t size,
    const std::function<absl::Status(uint64_t index, const std::string& entry)>& use);

struct ExportSource {
  Verifier verifier;
  SignedTree tree;
  std::function<absl::StatusOr<Hash>(uint64_t index)> leaf;  // As the tree has it.
};
absl::Status export_log(const store::Metadata& metadata, base::FileSystem& files,
                        const std::filesystem::path& file, const ExportSource& source);

struct VerifyOptions {
  std::optional<std::string> old_checkpoint;  // A signed note that was kept elsewhere.
  std::optional<std::string> key;             // The verifier key that the log must have.
};

struct ExportReport {
  Verifier verifier;
  Checkpoint checkpoint;
  uint64_t personal_count = 0;  // Personal parts that are there and are the ones of then.
  uint64_t erased_count = 0;    // Those that were erased.
  std::string first_at;         // Times of the first and the last entry; empty where there is none.
  std::string last_at;
  std::optional<uint64_t> extends_size;  // Of the older checkpoint.
};

// Errors: INVALID_ARGUMENT where this is no export at all, or the older checkpoint or key is none;
// FAILED_PRECONDITION says what is wrong with the log: an entry that was changed, swapped or
// removed, an end that is cut off, a signature that does not fit, a fork.
absl::StatusOr<ExportReport> verify_export(std::string_view bytes, const VerifyOptions& options);

}  // namespace cromford::govern
