#include "table/scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <numeric>
#include <optional>
#include <thread>
#include <utility>

#include "base/status.h"
#include "base/text.h"
#include "table/content_hash.h"
#include "table/duck.h"
#include "table/sandbox.h"
#include "table/sandbox_engine.h"
#include "table/scan_plan.h"
#include "table/table_reader.h"

namespace cromford::table {
namespace {

absl::StatusOr<std::vector<int64_t>> count_part_rows(Engine& engine, const StoredTable& stored) {
  TRY(auto connection, duck::connect(engine));
  std::vector<int64_t> rows;
  for (const std::filesystem::path& part : stored.parts) {
    TRY(auto counted, connection.run(fmt::format("SELECT count(*) FROM read_parquet({})",
                                                 quote_text(part.string()))));
    rows.push_back(counted.integer(0, 0));
  }
  return rows;
}

// All rows of a stored table, in order. The engine looks at all columns that a query reads again
// for each of them, in every row group; several narrow reads side by side save a wide table of few
// rows most of that. They hold the rows in memory, so tables of more rows are read as they are.
std::string select_side_by_side(const StoredTable& stored, int64_t row_count) {
  constexpr size_t kColumns = 1000;
  constexpr int64_t kCellsMax = 5'000'000;
  const auto width = static_cast<int64_t>(stored.schema.columns.size());
  if (stored.parts.size() != 1 || width <= static_cast<int64_t>(kColumns) ||
      row_count * width > kCellsMax) {
    return select_stored(stored);
  }
  std::vector<std::string> reads;
  for (size_t begin = 0; begin < stored.schema.columns.size(); begin += kColumns) {
    StoredTable narrow{{}, stored.parts};
    const auto first = stored.schema.columns.begin() + static_cast<ptrdiff_t>(begin);
    const size_t count = std::min(kColumns, stored.schema.columns.size() - begin);
    narrow.schema.columns.assign(first, first + static_cast<ptrdiff_t>(count));
    reads.push_back(fmt::format("({})", select_stored(narrow)));
  }
  return fmt::format("SELECT * FROM {}", base::join(reads, " POSITIONAL JOIN "));
}

// Some rows of a chunk that several blocks may share.
struct Piece {
  std::shared_ptr<const duck::DataChunk> chunk;
  size_t begin = 0;
  size_t count = 0;
  int64_t first_row = 0;
};

// A block between the reader, which appends pieces, and the worker that has taken it.
struct Block {
  int64_t index = 0;
  std::deque<Piece> pieces;
  bool complete = false;
  bool taken = false;
};

// One thread reads the parts in order and deals the chunks out to blocks; workers each take the
// oldest block that nobody has.
class BlockScan {
 public:
  BlockScan(Engine& engine, const StoredTable& stored, const BlockVisitorFactory& make_visitor,
            const BlockSink& sink, const base::CancelToken& cancel)
      : engine_(engine),
        stored_(stored),
        make_visitor_(make_visitor),
        sink_(sink),
        cancel_(cancel) {
    for (const ColumnSchema& column : stored.schema.columns) {
      types_.push_back(column.type);
    }
    // What waits between reader and workers is bounded in bytes, and so in pieces.
    constexpr size_t kBytesMax = 64U << 20;
    constexpr size_t kCellBytes = 16;
    constexpr size_t kPiecesMin = 4;
    const size_t piece_bytes = duck::vector_size() * kCellBytes * (types_.size() + 1);
    pieces_max_ = std::max(kPiecesMin, kBytesMax / piece_bytes);
  }

  absl::Status run() {
    std::vector<std::thread> workers;
    for (int i = 0; i < engine_.threads(); ++i) {
      workers.emplace_back([this] { work(); });
    }
    absl::Status status = read();
    {
      const std::scoped_lock lock(mutex_);
      read_all_ = true;
      if (status_.ok()) {
        status_ = std::move(status);
      }
    }
    changed_.notify_all();
    for (std::thread& worker : workers) {
      worker.join();
    }
    return status_;
  }

 private:
  absl::Status read() {
    TRY(part_rows_, count_part_rows(engine_, stored_));
    const int64_t row_count = std::accumulate(part_rows_.begin(), part_rows_.end(), int64_t{0});
    TRY(auto connection, duck::connect(engine_));
    return connection.stream(
        select_side_by_side(stored_, row_count), cancel_, duck::Origin::kOwn,
        [this](duck::DataChunk chunk) {
          return deal(std::make_shared<const duck::DataChunk>(std::move(chunk)));
        });
  }

  // Cuts a chunk at the borders of blocks and appends the pieces.
  absl::Status deal(const std::shared_ptr<const duck::DataChunk>& chunk) {
    const size_t rows = duckdb_data_chunk_get_size(chunk->get());
    for (size_t begin = 0; begin < rows;) {
      while (part_ < part_rows_.size() && row_in_part_ == part_rows_[part_]) {
        ++part_;
        row_in_part_ = 0;
      }
      if (part_ == part_rows_.size()) {
        return base::damaged("a stored table has more rows than it says");
      }
      const int64_t block_left = kBlockRows - row_in_part_ % kBlockRows;
      const int64_t part_left = part_rows_[part_] - row_in_part_;
      const size_t count =
          std::min(rows - begin, static_cast<size_t>(std::min(block_left, part_left)));
      TRY(append_piece({chunk, begin, count, row_}));
      begin += count;
    }
    return absl::OkStatus();
  }

  absl::Status append_piece(Piece piece) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !status_.ok() || pieces_ < pieces_max_; });
    TRY(status_);
    if (row_in_part_ % kBlockRows == 0) {
      blocks_.push_back(std::make_shared<Block>(Block{.index = next_block_++}));
    }
    const auto count = static_cast<int64_t>(piece.count);
    row_ += count;
    row_in_part_ += count;
    blocks_.back()->pieces.push_back(std::move(piece));
    blocks_.back()->complete = row_in_part_ % kBlockRows == 0 || row_in_part_ == part_rows_[part_];
    ++pieces_;
    changed_.notify_all();
    return absl::OkStatus();
  }

  // The oldest block that nobody has taken; nullptr at the end.
  std::shared_ptr<Block> take_block() {
    std::unique_lock lock(mutex_);
    while (status_.ok()) {
      for (const auto& block : blocks_) {
        if (!block->taken) {
          block->taken = true;
          return block;
        }
      }
      if (read_all_) {
        return nullptr;
      }
      changed_.wait(lock);
    }
    return nullptr;
  }

  // The next piece of a block; nullopt when it has had all.
  std::optional<Piece> take_piece(Block& block) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] {
      return !status_.ok() || !block.pieces.empty() || block.complete || read_all_;
    });
    if (!status_.ok() || block.pieces.empty()) {
      return std::nullopt;
    }
    Piece piece = std::move(block.pieces.front());
    block.pieces.pop_front();
    --pieces_;
    changed_.notify_all();
    return piece;
  }

  void work() {
    duck::ChunkViews views(types_);
    while (const auto block = take_block()) {
      auto visitor = make_visitor_(block->index);
      while (const auto piece = take_piece(*block)) {
        const Chunk chunk(piece->first_row, piece->count,
                          views.view(piece->chunk->get(), piece->begin, piece->count));
        if (absl::Status status = visitor->visit(chunk); !status.ok()) {
          fail(std::move(status));
          return;
        }
      }
      deliver(block->index, std::move(visitor));
    }
  }

  // Blocks end in any order and are given away in theirs.
  void deliver(int64_t index, std::unique_ptr<ChunkVisitor> visitor) {
    const std::scoped_lock lock(mutex_);
    ready_[index] = std::move(visitor);
    while (status_.ok() && !ready_.empty() && ready_.begin()->first == delivered_) {
      auto node = ready_.extract(ready_.begin());
      status_ = sink_(delivered_, std::move(node.mapped()));
      ++delivered_;
      blocks_.pop_front();
    }
    changed_.notify_all();
  }

  void fail(absl::Status status) {
    const std::scoped_lock lock(mutex_);
    if (status_.ok()) {
      status_ = std::move(status);
    }
    changed_.notify_all();
  }

  Engine& engine_;
  const StoredTable& stored_;
  const BlockVisitorFactory& make_visitor_;
  const BlockSink& sink_;
  const base::CancelToken& cancel_;
  std::vector<ColumnType> types_;
  size_t pieces_max_ = 1;

  // Of the reader.
  int64_t row_ = 0;
  std::vector<int64_t> part_rows_;
  size_t part_ = 0;
  int64_t row_in_part_ = 0;
  int64_t next_block_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  absl::Status status_;
  bool read_all_ = false;
  std::deque<std::shared_ptr<Block>> blocks_;  // not delivered yet, in order
  size_t pieces_ = 0;                          // in all of them
  int64_t delivered_ = 0;
  std::map<int64_t, std::unique_ptr<ChunkVisitor>> ready_;
};

class HashVisitor final : public ChunkVisitor {
 public:
  explicit HashVisitor(size_t column_count) : hasher_(column_count) {}
  absl::Status visit(const Chunk& chunk) override {
    hasher_.add(chunk);
    return absl::OkStatus();
  }
  base::ContentHash finish() { return hasher_.finish(); }

 private:
  BlockHasher hasher_;
};

}  // namespace

absl::StatusOr<Table> read_table(Engine& engine, const StoredTable& stored,
                                 const ReadOptions& options, const base::CancelToken& cancel) {
  TRY(ScanPlan scan, plan_scan(engine, stored, options, {}));
  auto table = collect_table(scan.where(), scan.select, scan.schema, cancel, scan.origin());
  if (!table.ok()) {
    return as_damage(table.status(), stored);
  }
  return table;
}

absl::StatusOr<int64_t> count_rows(Engine& engine, const StoredTable& stored,
                                   const std::string& where, const base::CancelToken& cancel) {
  ReadOptions options;
  options.where = where;
  TRY(ScanPlan scan, plan_scan(engine, stored, options, {}));
  const std::string sql = fmt::format("SELECT count(*) FROM ({})", scan.select);
  auto counted = scan.where().run(sql, cancel, scan.origin());
  if (!counted.ok()) {
    return as_damage(counted.status(), stored);
  }
  return counted->integer(0, 0);
}

absl::Status for_each_chunk(Engine& engine, const StoredTable& stored, const ReadOptions& options,
                            ChunkVisitor& visitor, const base::CancelToken& cancel) {
  TRY(ScanPlan scan, plan_scan(engine, stored, options, {}));
  std::vector<ColumnType> types;
  for (const ColumnSchema& column : scan.schema.columns) {
    types.push_back(column.type);
  }
  duck::ChunkViews views(types);
  int64_t row = 0;
  return as_damage(scan.where().stream(scan.select, cancel, scan.origin(),
                                       [&](duck::DataChunk data) {
                                         const size_t rows = duckdb_data_chunk_get_size(data.get());
                                         const Chunk chunk(row, rows, views.view(data.get()));
                                         row += static_cast<int64_t>(rows);
                                         return visitor.visit(chunk);
                                       }),
                   stored);
}

absl::Status for_each_block(Engine& engine, const StoredTable& stored,
                            const BlockVisitorFactory& make_visitor, const BlockSink& sink,
                            const base::CancelToken& cancel) {
  TRY(check_parts(stored));
  return as_damage(BlockScan(engine, stored, make_visitor, sink, cancel).run(), stored);
}

absl::StatusOr<std::string> content_hash_of(Engine& engine, const StoredTable& stored,
                                            const base::CancelToken& cancel) {
  TRY(check_parts(stored));
  auto rows = count_part_rows(engine, stored);
  if (!rows.ok()) {
    return as_damage(rows.status(), stored);
  }
  std::vector<PartHasher> hashers;
  std::vector<size_t> part_of_block;
  for (size_t part = 0; part < rows->size(); ++part) {
    hashers.emplace_back(stored.schema);
    const auto blocks = static_cast<size_t>(((*rows)[part] + kBlockRows - 1) / kBlockRows);
    part_of_block.insert(part_of_block.end(), blocks, part);
  }
  TRY(for_each_block(
      engine, stored,
      [&](int64_t) { return std::make_unique<HashVisitor>(stored.schema.columns.size()); },
      [&](int64_t block, std::unique_ptr<ChunkVisitor> visitor) {
        hashers[part_of_block[static_cast<size_t>(block)]].add_block(
            static_cast<HashVisitor&>(*visitor).finish());
        return absl::OkStatus();
      },
      cancel));
  std::vector<HashedPart> parts;
  for (size_t part = 0; part < rows->size(); ++part) {
    parts.push_back({(*rows)[part], hashers[part].finish((*rows)[part])});
  }
  return hash_of_parts(stored.schema, parts);
}

}  // namespace cromford::table
