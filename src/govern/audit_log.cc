#include "govern/audit_log.h"

#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/log.h"
#include "base/status.h"
#include "govern/audit.h"
#include "govern/base64.h"
#include "govern/export.h"

namespace cromford::govern {
namespace {

constexpr size_t kTileHashes = 256;
constexpr int kTileLevels = 8;  // 2^8 hashes.
constexpr int32_t kBatch = 500;
constexpr size_t kTilesKept = 64;
constexpr std::chrono::seconds kInterval{1};

store::DocumentKey tree_key() {
  return {"", std::string(kTreeKind), "tree"};
}
store::DocumentKey entry_key(uint64_t index) {
  return {"", std::string(kEntryKind), entry_name(index)};
}
store::DocumentKey tile_key(int level, uint64_t number) {
  return {"", std::string(kTileKind), fmt::format("{}/{:012}", level, number)};
}

absl::Status damaged(std::string_view what) {
  return base::damaged(fmt::format("the audit log is damaged: {}", what),
                       "nothing was mended; compare it with a copy of the data directory and with "
                       "checkpoints that are kept elsewhere");
}

Hash root_of(const std::vector<Hash>& hashes) {
  RootBuilder builder;
  for (const Hash& hash : hashes) {
    builder.add(hash);
  }
  return builder.root();
}

std::string tile_body(const std::vector<Hash>& hashes) {
  std::string bytes;
  for (const Hash& hash : hashes) {
    bytes += hash.view();
  }
  return base::dump_json({{"hashes", to_base64(bytes)}});
}

absl::StatusOr<std::vector<Hash>> parse_tile(const std::string& body) {
  const absl::StatusOr<base::Json> json = base::parse_json(body);
  const std::string text = json.ok() ? json->value("hashes", std::string()) : std::string();
  const std::optional<std::string> bytes = from_base64(text);
  constexpr size_t kHashBytes = sizeof(Hash::bytes);
  if (!bytes.has_value() || bytes->size() != kTileHashes * kHashBytes) {
    return damaged("a tile is not readable");
  }
  std::vector<Hash> hashes;
  for (size_t i = 0; i < kTileHashes; ++i) {
    hashes.push_back(*hash_from(std::string_view(*bytes).substr(i * kHashBytes, kHashBytes)));
  }
  return hashes;
}

store::Write tree_write(const std::string& note, int64_t revision) {
  return store::Write::put(tree_key(), base::dump_json({{"checkpoint", note}}), revision);
}

}  // namespace

std::string entry_name(uint64_t index) {
  return fmt::format("{:012}", index);
}

void AuditLog::Edge::append(const Hash& leaf, std::vector<FullTile>& full) {
  builder.add(leaf);
  uint64_t number = (builder.size() - 1) / kTileHashes;
  Hash hash = leaf;
  for (size_t level = 0;; ++level) {
    if (level == levels.size()) {
      levels.emplace_back();
    }
    levels[level].push_back(hash);
    if (levels[level].size() < kTileHashes) {
      return;
    }
    hash = root_of(levels[level]);
    full.push_back({static_cast<int>(level), number, std::move(levels[level])});
    levels[level].clear();
    number /= kTileHashes;
  }
}

absl::StatusOr<std::unique_ptr<AuditLog>> AuditLog::open(const AuditLogOptions& options) {
  std::unique_ptr<AuditLog> log(new AuditLog(options));
  const absl::Status loaded = log->load();
  if (loaded.code() == absl::StatusCode::kDataLoss) {
    log->damage_ = loaded;
    base::log_error("the audit log is damaged", {{"reason", base::describe(loaded)}});
  } else {
    TRY(loaded);
    TRY(log->sequence());
  }
  if (options.watches) {
    log->thread_ = std::thread([raw = log.get()] { raw->watch(); });
  }
  return log;
}

AuditLog::~AuditLog() {
  {
    const std::lock_guard lock(stop_mutex_);
    stop_.cancel();
  }
  stopped_.notify_all();
  if (thread_.joinable()) {
    thread_.join();
  }
  if (const absl::Status status = sequence(); !status.ok() && state().ok()) {
    base::log_warning("the last audit entries wait for the next start",
                      {{"error", base::describe(status)}});
  }
}

absl::Status AuditLog::load() {
  const absl::StatusOr<store::Document> tree = options_.metadata.get(tree_key());
  if (absl::IsNotFound(tree.status())) {
    return begin_log();
  }
  TRY(tree);
  const absl::StatusOr<AuditKey> key =
      open_key(options_.files, options_.key_file, options_.entropy, Absent::kRefuse);
  if (!key.ok()) {
    return damaged(base::message(key.status()));
  }
  key_ = *key;
  verifier_ = key->verifier();
  TRY(const base::Json body, base::parse_json(tree->body));
  signed_.note = body.value("checkpoint", std::string());
  const absl::StatusOr<Checkpoint> checkpoint = open_checkpoint(signed_.note, verifier_);
  if (!checkpoint.ok()) {
    return damaged(base::message(checkpoint.status()));
  }
  signed_.checkpoint = *checkpoint;
  tree_revision_ = tree->revision;
  TRY(load_edge(checkpoint->size));
  if (edge_.builder.root() != checkpoint->root) {
    return damaged(
        fmt::format("its {} entries do not give the root of its checkpoint", checkpoint->size));
  }
  if (options_.metadata.get(entry_key(checkpoint->size)).ok()) {
    return damaged(
        fmt::format("there are entries beyond the {} of its checkpoint", checkpoint->size));
  }
  return absl::OkStatus();
}

absl::Status AuditLog::begin_log() {
  if (options_.metadata.get(entry_key(0)).ok()) {
    return damaged("its checkpoint is gone");
  }
  TRY(AuditKey key, open_key(options_.files, options_.key_file, options_.entropy, Absent::kMake));
  key_ = std::move(key);
  verifier_ = key_->verifier();
  signed_.checkpoint = {.origin = key_->name(), .size = 0, .root = empty_root()};
  signed_.note = sign_checkpoint(signed_.checkpoint, *key_);
  TRY(tree_revision_, options_.metadata.commit({tree_write(signed_.note, store::kMustNotExist)}));
  return absl::OkStatus();
}

// The unfinished tiles: that of leaves from the entries, each other from the full tiles below it.
absl::Status AuditLog::load_edge(uint64_t size) {
  edge_ = Edge();
  edge_.levels.emplace_back();
  for (uint64_t i = size / kTileHashes * kTileHashes; i < size; ++i) {
    const absl::StatusOr<store::Document> entry = options_.metadata.get(entry_key(i));
    if (absl::IsNotFound(entry.status())) {
      return damaged(fmt::format("entry {} is missing", i));
    }
    TRY(entry);
    edge_.levels[0].push_back(leaf_hash(entry->body));
  }
  uint64_t full = size / kTileHashes;
  for (int level = 0; full > 0; ++level, full /= kTileHashes) {
    Tile above;
    for (uint64_t number = full / kTileHashes * kTileHashes; number < full; ++number) {
      TRY(const Tile* hashes, tile(level, number));
      above.push_back(root_of(*hashes));
    }
    edge_.levels.push_back(std::move(above));
  }
  edge_.builder = RootBuilder(size, {});  // So that tile() knows which tiles are unfinished.
  std::vector<Hash> subtrees;
  uint64_t begin = 0;
  for (int level = 63; level >= 0; --level) {
    if (((size >> level) & 1) != 0) {
      TRY(const Hash subtree, node(level, begin >> level));
      subtrees.push_back(subtree);
      begin += uint64_t{1} << level;
    }
  }
  edge_.builder = RootBuilder(size, std::move(subtrees));
  return absl::OkStatus();
}

absl::StatusOr<const AuditLog::Tile*> AuditLog::tile(int level, uint64_t number) {
  const auto at = static_cast<size_t>(level);
  if (at < edge_.levels.size() && number == (edge_.builder.size() >> (kTileLevels * (level + 1))) &&
      edge_.builder.size() > 0) {
    return &edge_.levels[at];
  }
  const std::pair<int, uint64_t> key{level, number};
  const auto found = tiles_.find(key);
  if (found != tiles_.end()) {
    return &found->second;
  }
  const absl::StatusOr<store::Document> document = options_.metadata.get(tile_key(level, number));
  if (absl::IsNotFound(document.status())) {
    return damaged(fmt::format("tile {} of level {} is missing", number, level));
  }
  TRY(document);
  TRY(Tile hashes, parse_tile(document->body));
  if (tiles_.size() >= kTilesKept) {
    tiles_.clear();
  }
  return &tiles_.emplace(key, std::move(hashes)).first->second;
}

absl::StatusOr<Hash> AuditLog::node(int level, uint64_t index) {
  if (level % kTileLevels != 0) {
    TRY(const Hash left, node(level - 1, 2 * index));
    TRY(const Hash right, node(level - 1, 2 * index + 1));
    return node_hash(left, right);
  }
  TRY(const Tile* const hashes, tile(level / kTileLevels, index / kTileHashes));
  if (index % kTileHashes >= hashes->size()) {
    return damaged("a tile is shorter than the tree");
  }
  return (*hashes)[index % kTileHashes];
}

absl::Status AuditLog::state() const {
  const std::lock_guard lock(mutex_);
  return damage_;
}

absl::StatusOr<std::vector<store::Write>> AuditLog::writes_of(
    const std::vector<store::Document>& pending, Edge& edge) const {
  std::vector<store::Write> writes;
  std::vector<FullTile> full;
  for (const store::Document& entry : pending) {
    writes.push_back(
        store::Write::put(entry_key(edge.builder.size()), entry.body, store::kMustNotExist));
    writes.push_back(store::Write::remove(entry.key, entry.revision));
    edge.append(leaf_hash(entry.body), full);
  }
  for (const FullTile& finished : full) {
    writes.push_back(store::Write::put(tile_key(finished.level, finished.number),
                                       tile_body(finished.hashes), store::kMustNotExist));
  }
  return writes;
}

// Whether there may be more.
absl::StatusOr<bool> AuditLog::sequence_batch() {
  TRY(const store::DocumentPage page, options_.metadata.list({.project = "",
                                                              .kind = std::string(kPendingKind),
                                                              .order_by = "revision, name",
                                                              .page_size = kBatch}));
  if (page.documents.empty()) {
    return false;
  }
  Edge edge = edge_;
  TRY(std::vector<store::Write> writes, writes_of(page.documents, edge));
  SignedTree next;
  next.checkpoint = {
      .origin = key_->name(), .size = edge.builder.size(), .root = edge.builder.root()};
  next.note = sign_checkpoint(next.checkpoint, *key_);
  writes.push_back(tree_write(next.note, tree_revision_));
  TRY(tree_revision_, options_.metadata.commit(writes));
  edge_ = std::move(edge);
  signed_ = std::move(next);
  return !page.next_page_token.empty();
}

absl::Status AuditLog::sequence_locked() {
  TRY(damage_);
  while (true) {
    absl::StatusOr<bool> more = sequence_batch();
    if (absl::IsAborted(more.status()) || absl::IsAlreadyExists(more.status())) {
      // The tree in the store is another: a commit of ours took effect although it failed, or
      // somebody else sequenced. What stands there is checked as at a start.
      const absl::Status loaded = load();
      if (absl::IsDataLoss(loaded)) {
        damage_ = loaded;
      }
      TRY(loaded);
      more = sequence_batch();
    }
    TRY(more);
    if (!*more) {
      return absl::OkStatus();
    }
  }
}

absl::Status AuditLog::sequence() {
  const std::lock_guard lock(mutex_);
  return sequence_locked();
}

absl::StatusOr<SignedTree> AuditLog::tree() {
  const std::lock_guard lock(mutex_);
  TRY(sequence_locked());
  return signed_;
}

absl::StatusOr<Proof> AuditLog::prove_inclusion(uint64_t index, uint64_t size) {
  const std::lock_guard lock(mutex_);
  if (size > edge_.builder.size() || index >= size) {
    return base::invalid(fmt::format("there is no entry {} in a tree of {}; the log has {}", index,
                                     size, edge_.builder.size()));
  }
  return inclusion_proof(index, size, [this](int level, uint64_t i) { return node(level, i); });
}

absl::StatusOr<Proof> AuditLog::prove_consistency(uint64_t old_size, uint64_t size) {
  const std::lock_guard lock(mutex_);
  if (size > edge_.builder.size() || old_size > size) {
    return base::invalid(fmt::format("the log has no trees of {} and {} entries; it has {}",
                                     old_size, size, edge_.builder.size()),
                         "name a size that a checkpoint of this log had");
  }
  return consistency_proof(old_size, size,
                           [this](int level, uint64_t i) { return node(level, i); });
}

absl::StatusOr<Hash> AuditLog::leaf(uint64_t index) {
  const std::lock_guard lock(mutex_);
  return node(0, index);
}

absl::Status AuditLog::check(const base::CancelToken& cancel) {
  SignedTree tree;
  {
    const std::lock_guard lock(mutex_);
    TRY(damage_);
    tree = signed_;
  }
  const absl::Status status = check_range(tree, cancel);
  if (status.code() == absl::StatusCode::kDataLoss) {
    const std::lock_guard lock(mutex_);
    damage_ = status;
    base::log_error("the audit log is damaged", {{"reason", base::describe(status)}});
  }
  return status;
}

absl::Status AuditLog::check_range(const SignedTree& tree, const base::CancelToken& cancel) {
  RootBuilder builder;
  const absl::Status visited =
      for_each_entry(options_.metadata, tree.checkpoint.size,
                     [&](uint64_t index, const std::string& entry) -> absl::Status {
                       TRY(cancel.check());
                       TRY(const Hash recorded, leaf(index));
                       const Hash found = leaf_hash(entry);
                       if (found != recorded) {
                         return damaged(fmt::format("entry {} was altered", index));
                       }
                       builder.add(found);
                       return absl::OkStatus();
                     });
  TRY(visited);
  if (builder.root() != tree.checkpoint.root) {
    return damaged("its entries do not give the root of its checkpoint");
  }
  return absl::OkStatus();
}

absl::Status AuditLog::write_export(const std::filesystem::path& file) {
  TRY(const SignedTree at, tree());
  return export_log(
      options_.metadata, options_.files, file,
      {.verifier = verifier_, .tree = at, .leaf = [this](uint64_t index) { return leaf(index); }});
}

void AuditLog::watch() {
  (void)check(stop_.token());  // Damage is logged and kept.
  bool told = false;           // Of a fault that lasts, once.
  while (true) {
    std::unique_lock lock(stop_mutex_);
    if (stopped_.wait_for(lock, kInterval, [this] { return stop_.cancelled(); })) {
      return;
    }
    lock.unlock();
    const absl::Status status = sequence();
    if (!status.ok() && !told && state().ok()) {
      base::log_warning("audit entries could not be sequenced; they wait",
                        {{"error", base::describe(status)}});
    }
    told = !status.ok();
  }
}

}  // namespace cromford::govern
