#include "table/scan.h"

#include <fmt/format.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
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

// One block of `for_each_block`.
struct BlockRange {
  size_t part = 0;
  int64_t begin = 0;  // row in the part
  int64_t end = 0;
  int64_t first_row = 0;  // row in the table
};

class BlockScan {
 public:
  BlockScan(Engine& engine, const StoredTable& stored, const BlockVisitorFactory& make_visitor,
            const BlockSink& sink, const base::CancelToken& cancel)
      : engine_(engine),
        stored_(stored),
        make_visitor_(make_visitor),
        sink_(sink),
        cancel_(cancel) {}

  absl::Status run() {
    TRY(plan());
    const auto count = static_cast<size_t>(engine_.threads());
    workers_ = std::max<size_t>(1, std::min(count, blocks_.size()));
    std::vector<std::thread> threads;
    for (size_t i = 1; i < workers_; ++i) {
      threads.emplace_back([this] { work(); });
    }
    work();
    for (std::thread& thread : threads) {
      thread.join();
    }
    return status_;
  }

 private:
  absl::Status plan() {
    TRY(auto connection, duck::connect(engine_));
    int64_t first_row = 0;
    for (size_t part = 0; part < stored_.parts.size(); ++part) {
      const std::string file = quote_text(stored_.parts[part].string());
      TRY(const auto described,
          connection.describe(fmt::format("SELECT * FROM read_parquet({})", file),
                              duck::Origin::kOwn));
      std::vector<std::string> present;
      for (const auto& column : described) {
        present.push_back(column.name);
      }
      selects_.push_back(select_part(stored_.schema, present, stored_.parts[part]));
      TRY(auto counted, connection.run(fmt::format("SELECT count(*) FROM read_parquet({})", file)));
      const int64_t rows = counted.integer(0, 0);
      for (int64_t begin = 0; begin < rows; begin += kBlockRows) {
        blocks_.push_back({part, begin, std::min(rows, begin + kBlockRows), first_row + begin});
      }
      first_row += rows;
    }
    return absl::OkStatus();
  }

  void work() {
    auto connection = duck::connect(engine_);
    if (!connection.ok()) {
      fail(connection.status());
      return;
    }
    while (true) {
      size_t index = 0;
      {
        std::unique_lock lock(mutex_);
        // Nobody runs far ahead of a slow block: finished ones wait in memory.
        delivered_changed_.wait(lock, [this] {
          return !status_.ok() || next_ < delivered_ + 2 * workers_ || next_ >= blocks_.size();
        });
        if (!status_.ok() || next_ >= blocks_.size()) {
          return;
        }
        index = next_++;
      }
      auto visitor = visit_block(*connection, index);
      if (!visitor.ok()) {
        fail(visitor.status());
        return;
      }
      deliver(index, std::move(*visitor));
    }
  }

  absl::StatusOr<std::unique_ptr<ChunkVisitor>> visit_block(duck::Connection& connection,
                                                            size_t index) {
    const BlockRange& block = blocks_[index];
    auto visitor = make_visitor_(static_cast<int64_t>(index));
    std::vector<ColumnType> types;
    for (const ColumnSchema& column : stored_.schema.columns) {
      types.push_back(column.type);
    }
    duck::ChunkViews views(types);
    int64_t row = block.first_row;
    TRY(connection.stream(fmt::format("{} WHERE file_row_number >= {} AND file_row_number < {}",
                                      selects_[block.part], block.begin, block.end),
                          cancel_, duck::Origin::kOwn, [&](duck::Result&, duckdb_data_chunk data) {
                            const size_t rows = duckdb_data_chunk_get_size(data);
                            const Chunk chunk(row, rows, views.view(data));
                            row += static_cast<int64_t>(rows);
                            return visitor->visit(chunk);
                          }));
    return visitor;
  }

  void deliver(size_t index, std::unique_ptr<ChunkVisitor> visitor) {
    const std::scoped_lock lock(mutex_);
    ready_[index] = std::move(visitor);
    while (status_.ok() && !ready_.empty() && ready_.begin()->first == delivered_) {
      auto node = ready_.extract(ready_.begin());
      status_ = sink_(static_cast<int64_t>(delivered_), std::move(node.mapped()));
      ++delivered_;
    }
    delivered_changed_.notify_all();
  }

  void fail(absl::Status status) {
    const std::scoped_lock lock(mutex_);
    if (status_.ok()) {
      status_ = std::move(status);
    }
    delivered_changed_.notify_all();
  }

  Engine& engine_;
  const StoredTable& stored_;
  const BlockVisitorFactory& make_visitor_;
  const BlockSink& sink_;
  const base::CancelToken& cancel_;
  std::vector<std::string> selects_;  // by part
  std::vector<BlockRange> blocks_;
  size_t workers_ = 1;

  std::mutex mutex_;
  std::condition_variable delivered_changed_;
  absl::Status status_;
  size_t next_ = 0;
  size_t delivered_ = 0;
  std::map<size_t, std::unique_ptr<ChunkVisitor>> ready_;
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
                                       [&](duck::Result&, duckdb_data_chunk data) {
                                         const size_t rows = duckdb_data_chunk_get_size(data);
                                         const Chunk chunk(row, rows, views.view(data));
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
  std::vector<HashedPart> parts;
  for (const std::filesystem::path& path : stored.parts) {
    PartHasher part(stored.schema);
    const StoredTable one{stored.schema, {path}};
    TRY(for_each_block(
        engine, one,
        [&](int64_t) { return std::make_unique<HashVisitor>(stored.schema.columns.size()); },
        [&](int64_t, std::unique_ptr<ChunkVisitor> visitor) {
          part.add_block(static_cast<HashVisitor&>(*visitor).finish());
          return absl::OkStatus();
        },
        cancel));
    TRY(const int64_t rows, count_rows(engine, one, {}, cancel));
    parts.push_back({rows, part.finish(rows)});
  }
  return hash_of_parts(stored.schema, parts);
}

}  // namespace cromford::table
