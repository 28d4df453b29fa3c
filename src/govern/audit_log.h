#pragma once

// The audit log of a home: puts the entries that changes were committed with (audit.h) into one
// order, hashes them into a Merkle tree and signs checkpoints of it. The life of an entry:
//
//   1. It is committed with its change as a document of the kind audit_pending.
//   2. sequence() takes all pending ones in the order of their commits and moves them, in one
//      transaction, to audit_entry documents named by their index, together with the full tiles
//      they complete and a newly signed checkpoint. Many entries cost one transaction.
//
// Whatever moment the process is killed at, an entry is pending or in the tree, and the tree is the
// one that the checkpoint was signed over. Before 2, an entry is protected by nothing but the
// database; a thread that looks every second keeps that short.
//
//   TRY(auto log, AuditLog::open({.metadata = metadata, .files = files, .entropy = entropy,
//                                 .key_file = home / "keys" / "audit.key"}));
//   TRY(const SignedTree tree, log->tree());          // everything committed so far is in it
//
// A damaged log opens: it says so in state(), takes no entries and signs nothing until it is whole
// again, and nothing of it is ever rewritten. Changes go on to be committed with their entries.
//
// Thread safety: every member may be called from any thread.

#include <absl/status/statusor.h>

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/cancel.h"
#include "base/file_system.h"
#include "base/random.h"
#include "govern/checkpoint.h"
#include "govern/merkle.h"
#include "store/metadata.h"

namespace cromford::govern {

// The documents of the log, all of no project. See docs/formats/audit.md.
inline constexpr std::string_view kEntryKind = "audit_entry";  // Named by entry_name().
inline constexpr std::string_view kTileKind = "audit_tile";
inline constexpr std::string_view kTreeKind = "audit_tree";
std::string entry_name(uint64_t index);  // Twelve digits, so that names are in the log's order.

struct SignedTree {
  Checkpoint checkpoint;
  std::string note;  // The checkpoint as it was signed.
};

struct AuditLogOptions {
  store::Metadata& metadata;
  base::FileSystem& files;
  base::Entropy& entropy;
  std::filesystem::path key_file;
  // Whether a thread sequences every second, after it has read the whole log once. Else entries
  // are sequenced when somebody asks for the tree.
  bool watches = true;
};

class AuditLog {
 public:
  // Errors: those of the metadata; damage of the log itself is told by state().
  static absl::StatusOr<std::unique_ptr<AuditLog>> open(const AuditLogOptions& options);
  ~AuditLog();
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  // DATA_LOSS names what was found damaged.
  absl::Status state() const;
  const Verifier& verifier() const { return verifier_; }

  // Takes up everything that is pending.
  absl::Status sequence();
  // The newest tree, after a sequence().
  absl::StatusOr<SignedTree> tree();

  // That the entry is in the tree of `size` entries, and that this tree extends the earlier one.
  // INVALID_ARGUMENT where there are not so many.
  absl::StatusOr<Proof> prove_inclusion(uint64_t index, uint64_t size);
  absl::StatusOr<Proof> prove_consistency(uint64_t old_size, uint64_t size);
  // The hash of an entry as the tree has it.
  absl::StatusOr<Hash> leaf(uint64_t index);

  // Reads every entry and holds it against the tree; DATA_LOSS names the first that does not fit.
  absl::Status check(const base::CancelToken& cancel = {});

  // Writes the log as it is now to a file that `audit verify` reads (export.h).
  absl::Status write_export(const std::filesystem::path& file);

 private:
  using Tile = std::vector<Hash>;
  struct FullTile {
    int level;
    uint64_t number;
    Tile hashes;
  };
  // The right edge of the tree: the unfinished tile of each level, and the root.
  struct Edge {
    RootBuilder builder;
    std::vector<Tile> levels;

    void append(const Hash& leaf, std::vector<FullTile>& full);
  };

  explicit AuditLog(const AuditLogOptions& options) : options_(options) {}

  absl::Status load();
  absl::Status begin_log();
  absl::Status load_edge(uint64_t size);
  absl::Status sequence_locked();
  absl::StatusOr<bool> sequence_batch();
  absl::StatusOr<std::vector<store::Write>> writes_of(const std::vector<store::Document>& pending,
                                                      Edge& edge) const;
  absl::StatusOr<Hash> node(int level, uint64_t index);
  absl::StatusOr<const Tile*> tile(int level, uint64_t number);
  absl::Status check_range(const SignedTree& tree, const base::CancelToken& cancel);
  void watch();

  const AuditLogOptions options_;
  Verifier verifier_;
  std::optional<AuditKey> key_;

  mutable std::mutex mutex_;  // Guards all below.
  absl::Status damage_;
  Edge edge_;
  SignedTree signed_;
  int64_t tree_revision_ = 0;
  std::map<std::pair<int, uint64_t>, Tile> tiles_;  // Read lately.

  base::CancelSource stop_;
  std::mutex stop_mutex_;
  std::condition_variable stopped_;
  std::thread thread_;  // The last member: it uses the others.
};

}  // namespace cromford::govern
