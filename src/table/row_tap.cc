#include "table/row_tap.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "base/status.h"
#include "base/text.h"
#include "table/sandbox.h"

namespace cromford::table {
namespace {

constexpr std::string_view kSeen = "cromford row seen";

// What the visitor of a block holds, about: the row sample, and counts and sketches of each column.
constexpr uint64_t kBlockBytes = 4ULL << 20;
constexpr uint64_t kBlockColumnBytes = 64ULL << 10;

template <typename Value>
std::span<const Value> copy_values(std::span<const Value> values, std::string& bytes) {
  const auto raw = std::as_bytes(values);
  bytes.assign(reinterpret_cast<const char*>(raw.data()), raw.size());
  return {reinterpret_cast<const Value*>(bytes.data()), values.size()};
}

// Rows that came before their turn, with everything that their views point at.
class HeldRows {
 public:
  explicit HeldRows(const Chunk& chunk)
      : first_row_(chunk.first_row()), row_count_(chunk.row_count()) {
    columns_.resize(chunk.columns().size());
    for (size_t i = 0; i < columns_.size(); ++i) {
      views_.push_back(copy(chunk.column(i), columns_[i]));
    }
  }
  HeldRows(const HeldRows&) = delete;
  HeldRows& operator=(const HeldRows&) = delete;

  Chunk chunk() const { return {first_row_, row_count_, views_}; }
  uint64_t bytes() const { return bytes_; }

 private:
  struct Held {
    std::string bytes;
    std::vector<std::string_view> texts;
    std::vector<uint64_t> validity;
  };

  ColumnView copy(const ColumnView& from, Held& held) {
    ColumnView view;
    view.type = from.type;
    switch (from.type) {
      case ColumnType::kNumber:
        view.numbers = copy_values(from.numbers, held.bytes);
        break;
      case ColumnType::kInteger:
      case ColumnType::kTimestamp:
        view.integers = copy_values(from.integers, held.bytes);
        break;
      case ColumnType::kDate:
        view.days = copy_values(from.days, held.bytes);
        break;
      case ColumnType::kBoolean:
        view.booleans = copy_values(from.booleans, held.bytes);
        break;
      case ColumnType::kText:
        view.texts = copy_texts(from.texts, held);
        break;
    }
    if (from.validity != nullptr) {
      held.validity.assign(from.validity, from.validity + (row_count_ + 63) / 64);
      view.validity = held.validity.data();
    }
    bytes_ += held.bytes.capacity() + held.texts.capacity() * sizeof(std::string_view) +
              held.validity.capacity() * sizeof(uint64_t);
    return view;
  }

  static std::span<const std::string_view> copy_texts(std::span<const std::string_view> texts,
                                                      Held& held) {
    size_t size = 0;
    for (const std::string_view text : texts) {
      size += text.size();
    }
    held.bytes.reserve(size);  // The views below must stay where they are.
    held.texts.reserve(texts.size());
    for (const std::string_view text : texts) {
      held.texts.emplace_back(held.bytes.data() + held.bytes.size(), text.size());
      held.bytes.append(text);
    }
    return held.texts;
  }

  int64_t first_row_;
  size_t row_count_;
  std::vector<Held> columns_;
  std::vector<ColumnView> views_;
  uint64_t bytes_ = 0;
};

// A block that is being filled; all under the state's mutex, but for the visitor of a busy one.
struct OpenBlock {
  std::unique_ptr<ChunkVisitor> visitor;
  int64_t next_row = 0;  // that the visitor has not seen
  bool busy = false;     // A thread has the visitor; it takes what is held when it comes back.
  std::map<int64_t, std::unique_ptr<HeldRows>> held;  // by first row
};

}  // namespace

struct RowTap::State {
  RowTapOptions options;
  Schema schema;
  std::vector<ColumnType> types;

  std::mutex mutex;
  absl::Status status;
  bool gave_up = false;
  std::map<int64_t, OpenBlock> open;
  std::map<int64_t, std::unique_ptr<ChunkVisitor>> ready;
  int64_t delivered = 0;
  bool delivering = false;
  uint64_t held_bytes = 0;
  std::vector<std::unique_ptr<duck::ChunkViews>> idle_views;

  absl::Status see(duckdb_data_chunk chunk);
  absl::Status see_piece(const Chunk& piece);
  absl::Status visit(OpenBlock& block, const Chunk& first, std::unique_lock<std::mutex>& lock);
  absl::Status deliver(std::unique_lock<std::mutex>& lock);
  void give_up_if_full();
  uint64_t block_bytes() const { return kBlockBytes + types.size() * kBlockColumnBytes; }
};

// Cuts a chunk at the borders of blocks. Its last column numbers the rows.
absl::Status RowTap::State::see(duckdb_data_chunk chunk) {
  const size_t row_count = duckdb_data_chunk_get_size(chunk);
  if (row_count == 0) {
    return absl::OkStatus();
  }
  const auto* const numbers = static_cast<const int64_t*>(
      duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, types.size())));
  if (numbers[row_count - 1] - numbers[0] != static_cast<int64_t>(row_count) - 1) {
    return base::internal("the data engine gives rows out of their order");
  }
  std::unique_ptr<duck::ChunkViews> views;
  {
    const std::scoped_lock lock(mutex);
    TRY(status);
    if (gave_up) {
      return absl::OkStatus();
    }
    if (!idle_views.empty()) {
      views = std::move(idle_views.back());
      idle_views.pop_back();
    }
  }
  if (views == nullptr) {
    views = std::make_unique<duck::ChunkViews>(types);
  }
  for (size_t begin = 0; begin < row_count;) {
    const int64_t row = numbers[begin];
    const size_t count =
        std::min(row_count - begin, static_cast<size_t>(kBlockRows - row % kBlockRows));
    TRY(see_piece({row, count, views->view(chunk, begin, count)}));
    begin += count;
  }
  const std::scoped_lock lock(mutex);
  idle_views.push_back(std::move(views));
  return absl::OkStatus();
}

absl::Status RowTap::State::see_piece(const Chunk& piece) {
  const int64_t row = piece.first_row();
  const int64_t index = row / kBlockRows;
  std::unique_lock lock(mutex);
  if (index < delivered || ready.contains(index)) {
    return base::internal("the data engine gives rows of a block that is full");
  }
  const auto [position, is_new] = open.try_emplace(index);
  OpenBlock& block = position->second;  // It stays until all its rows were seen, so these too.
  if (is_new) {
    block.next_row = index * kBlockRows;
    block.visitor = options.make_visitor(index);
    give_up_if_full();
  }
  if (gave_up) {
    return absl::OkStatus();
  }
  if (!block.busy && block.next_row == row) {
    return visit(block, piece, lock);
  }
  lock.unlock();
  auto held = std::make_unique<HeldRows>(piece);
  lock.lock();
  // The thread that had the visitor may have come to these rows meanwhile.
  if (!block.busy && block.next_row == row) {
    return visit(block, piece, lock);
  }
  held_bytes += held->bytes();
  block.held[row] = std::move(held);
  give_up_if_full();
  return status;
}

// Shows the visitor `first` and the rows held that follow it.
absl::Status RowTap::State::visit(OpenBlock& block, const Chunk& first,
                                  std::unique_lock<std::mutex>& lock) {
  block.busy = true;
  std::unique_ptr<HeldRows> held;
  while (!gave_up) {
    const Chunk chunk = held == nullptr ? first : held->chunk();
    lock.unlock();
    absl::Status visited = block.visitor->visit(chunk);
    lock.lock();
    TRY(status);
    if (!visited.ok()) {
      status = visited;
      return visited;
    }
    block.next_row += static_cast<int64_t>(chunk.row_count());
    const auto next = block.held.find(block.next_row);
    if (next == block.held.end()) {
      break;
    }
    held = std::move(next->second);
    held_bytes -= std::min(held_bytes, held->bytes());
    block.held.erase(next);
  }
  block.busy = false;
  if (!gave_up && block.next_row % kBlockRows == 0) {
    const int64_t index = block.next_row / kBlockRows - 1;
    ready[index] = std::move(block.visitor);
    open.erase(index);
    return deliver(lock);
  }
  return absl::OkStatus();
}

// Blocks end in any order and are given away in theirs, by one thread at a time.
absl::Status RowTap::State::deliver(std::unique_lock<std::mutex>& lock) {
  if (delivering) {
    return absl::OkStatus();
  }
  delivering = true;
  while (status.ok() && !gave_up && !ready.empty() && ready.begin()->first == delivered) {
    auto node = ready.extract(ready.begin());
    const int64_t index = delivered++;
    lock.unlock();
    absl::Status taken = options.sink(index, std::move(node.mapped()));
    lock.lock();
    if (status.ok()) {
      status = std::move(taken);
    }
  }
  delivering = false;
  return status;
}

void RowTap::State::give_up_if_full() {
  // Two blocks are at hand whoever reads.
  const uint64_t waiting = std::max<size_t>(2, open.size() + ready.size()) - 2;
  if (held_bytes + waiting * block_bytes() <= options.held_bytes_max) {
    return;
  }
  gave_up = true;
  ready.clear();
  for (auto& [index, block] : open) {
    block.held.clear();
    if (!block.busy) {
      block.visitor.reset();
    }
  }
}

// --- RowTap ---------------------------------------------------------------------------------

namespace {

void see_rows(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output) {
  auto* state = static_cast<RowTap::State*>(duckdb_scalar_function_get_extra_info(info));
  if (const absl::Status status = state->see(input); !status.ok()) {
    const std::string text(base::message(status));
    duckdb_scalar_function_set_error(info, text.c_str());
    return;
  }
  auto* const passes = static_cast<bool*>(duckdb_vector_get_data(output));
  std::fill_n(passes, duckdb_data_chunk_get_size(input), true);
}

void add_parameter(duckdb_scalar_function function, duckdb_type type) {
  duckdb_logical_type logical = duckdb_create_logical_type(type);
  duckdb_scalar_function_add_parameter(function, logical);
  duckdb_destroy_logical_type(&logical);
}

}  // namespace

bool RowTap::fits(const Schema& schema) {
  const bool has_name =
      std::any_of(schema.columns.begin(), schema.columns.end(), [](const ColumnSchema& column) {
        const std::string name = base::lower(column.name);
        return name == kRowNumber || name == kSeen;
      });
  return !has_name && schema.columns.size() <= kColumnsMax;
}

RowTap::RowTap(Schema schema, RowTapOptions options) : state_(std::make_unique<State>()) {
  for (const ColumnSchema& column : schema.columns) {
    state_->types.push_back(column.type);
  }
  state_->schema = std::move(schema);
  state_->options = std::move(options);
}

RowTap::~RowTap() = default;

absl::Status RowTap::register_function(duck::Connection& connection, const std::string& name) {
  duckdb_scalar_function function = duckdb_create_scalar_function();
  duckdb_scalar_function_set_name(function, name.c_str());
  for (const ColumnType type : state_->types) {
    add_parameter(function, duck::type_id(type));
  }
  add_parameter(function, DUCKDB_TYPE_BIGINT);
  duckdb_logical_type returned = duckdb_create_logical_type(DUCKDB_TYPE_BOOLEAN);
  duckdb_scalar_function_set_return_type(function, returned);
  duckdb_destroy_logical_type(&returned);
  // It is called for missing cells too, and once for every row.
  duckdb_scalar_function_set_special_handling(function);
  duckdb_scalar_function_set_volatile(function);
  duckdb_scalar_function_set_extra_info(function, state_.get(), nullptr);
  duckdb_scalar_function_set_function(function, see_rows);
  const duckdb_state taken = duckdb_register_scalar_function(connection.get(), function);
  duckdb_destroy_scalar_function(&function);
  if (taken != DuckDBSuccess) {
    return base::internal(fmt::format("the data engine does not take the function {}", name));
  }
  return absl::OkStatus();
}

// A column of its own and a condition over it: a condition that calls the function would be moved
// below the columns' expressions, which would then be computed twice.
std::string RowTap::select_through(const std::string& name,
                                   const std::string& numbered_select) const {
  std::vector<std::string> columns;
  for (const ColumnSchema& column : state_->schema.columns) {
    columns.push_back(quote_name(column.name));
  }
  const std::string all = base::join(columns, ", ");
  return fmt::format("SELECT {0} FROM (SELECT {0}, {1}({0}, {2}) AS {3} FROM (\n{4}\n)) WHERE {3}",
                     all, name, quote_name(kRowNumber), quote_name(kSeen), numbered_select);
}

absl::Status RowTap::status() const {
  const std::scoped_lock lock(state_->mutex);
  return state_->status;
}

absl::StatusOr<bool> RowTap::finish(int64_t row_count) {
  State& state = *state_;
  std::unique_lock lock(state.mutex);
  TRY(state.status);
  if (state.gave_up) {
    return false;
  }
  if (!state.open.empty() && state.open.begin()->second.next_row == row_count) {
    auto node = state.open.extract(state.open.begin());
    state.ready[node.key()] = std::move(node.mapped().visitor);
    TRY(state.deliver(lock));
  }
  if (!state.open.empty() || state.delivered != (row_count + kBlockRows - 1) / kBlockRows) {
    return base::internal("the data engine stored other rows than it showed");
  }
  return true;
}

}  // namespace cromford::table
