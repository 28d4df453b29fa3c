#include "table/import_pass.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "table/sandbox.h"
#include "table/schema_merge.h"

namespace cromford::table {
namespace {

// Of the import's memory, for rows that are seen before their turn.
constexpr uint64_t kHeldShare = 8;

// Hashes a block and shows it to the caller's visitor, if there is one.
class BlockVisitor final : public ChunkVisitor {
 public:
  BlockVisitor(size_t column_count, std::unique_ptr<ChunkVisitor> inner)
      : hasher_(column_count), inner_(std::move(inner)) {}

  absl::Status visit(const Chunk& chunk) override {
    hasher_.add(chunk);
    return inner_ == nullptr ? absl::OkStatus() : inner_->visit(chunk);
  }
  base::ContentHash finish() { return hasher_.finish(); }
  std::unique_ptr<ChunkVisitor> take_inner() { return std::move(inner_); }

 private:
  BlockHasher hasher_;
  std::unique_ptr<ChunkVisitor> inner_;
};

}  // namespace

ImportPass::ImportPass(const Schema& schema, const ImportOptions& options,
                       std::function<void(int64_t block)> on_block)
    : column_count_(schema.columns.size()),
      options_(options),
      on_block_(std::move(on_block)),
      part_(schema) {
  if (options.on_schema) {
    options.on_schema(schema);
  }
}

BlockVisitorFactory ImportPass::factory() {
  return [this](int64_t block) -> std::unique_ptr<ChunkVisitor> {
    auto inner = options_.make_visitor ? options_.make_visitor(block) : nullptr;
    return std::make_unique<BlockVisitor>(column_count_, std::move(inner));
  };
}

BlockSink ImportPass::sink() {
  return [this](int64_t block, std::unique_ptr<ChunkVisitor> visitor) -> absl::Status {
    auto& own = static_cast<BlockVisitor&>(*visitor);
    part_.add_block(own.finish());
    on_block_(block);
    return options_.sink ? options_.sink(block, own.take_inner()) : absl::OkStatus();
  };
}

// --- StoringPass ----------------------------------------------------------------------------

bool StoringPass::is_possible(const ImportOptions& options, std::span<const InputPlan> inputs,
                              const Schema& schema) {
  return options.query.empty() && !options.screen && inputs.size() == 1 &&
         !inputs.front().numbered_select.empty() && RowTap::fits(schema);
}

StoringPass::StoringPass(const Schema& schema, const ImportOptions& options,
                         std::function<void(int64_t rows, int64_t total)> on_progress)
    : schema_(schema),
      on_progress_(std::move(on_progress)),
      pass_(schema, options,
            [this](int64_t block) {
              on_progress_(std::min(total_, (block + 1) * kBlockRows), total_);
            }),
      tap_(schema, {.make_visitor = pass_.factory(),
                    .sink = pass_.sink(),
                    .held_bytes_max = options.memory_limit_bytes / kHeldShare}) {}

absl::StatusOr<std::string> StoringPass::open(duck::Connection& connection,
                                              const InputPlan& input) {
  TRY(auto counted, connection.run(fmt::format("SELECT sum(num_rows), sum(num_row_groups) "
                                               "FROM parquet_file_metadata({})",
                                               quote_text(input.path.string())),
                                   {}, duck::Origin::kFile));
  total_ = std::max<int64_t>(1, counted.integer(0, 0));
  const int64_t groups = std::max<int64_t>(1, counted.integer(0, 1));
  group_rows_ = (total_ + groups - 1) / groups;
  const std::string name = "cromford_tap";
  TRY(tap_.register_function(connection, name));
  return tap_.select_through(
      name, fmt::format("SELECT {}, {} FROM (\n{}\n)", cast_columns(schema_, input.schema),
                        quote_name(RowTap::kRowNumber), input.numbered_select));
}

absl::StatusOr<std::string> StoringPass::finish(int64_t row_count) {
  TRY(const bool seen, tap_.finish(row_count));
  return seen ? pass_.finish(row_count) : std::string();
}

}  // namespace cromford::table
