#include "table/profile_builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/status.h"
#include "table/profile_hash.h"
#include "table/profile_state.h"

namespace cromford::table {

struct ProfileBuilder::State {
  explicit State(Schema known) : schema(std::move(known)), total(schema), block(schema) {}

  // Ends the block that is being filled.
  void fold() {
    total.merge_columns(block);
    block = TableState(schema);
  }
  void add_rows(const Chunk& chunk, size_t begin, size_t count);
  // Brings the rows that wait into the sample.
  void settle() {
    total.rows.add_all(waiting_rows);
    waiting_rows.clear();
  }

  Schema schema;
  TableState total;  // Its columns know whole blocks.
  TableState block;  // Its `rows` is not used.
  std::vector<uint64_t> row_hashes;
  // Hashes of rows that `total.rows` will look at: a block that is merged into others never makes a
  // sample of its own.
  std::vector<uint64_t> waiting_rows;
};

namespace {

size_t length_of(const ColumnView& view) {
  switch (view.type) {
    case ColumnType::kNumber:
      return view.numbers.size();
    case ColumnType::kDate:
      return view.days.size();
    case ColumnType::kBoolean:
      return view.booleans.size();
    case ColumnType::kText:
      return view.texts.size();
    default:
      return view.integers.size();
  }
}

absl::Status check_chunk(const Schema& schema, const Chunk& chunk) {
  if (chunk.columns().size() != schema.columns.size()) {
    return base::invalid(fmt::format("a chunk of {} columns does not fit a schema of {}",
                                     chunk.columns().size(), schema.columns.size()));
  }
  for (size_t i = 0; i < schema.columns.size(); ++i) {
    const ColumnView& view = chunk.column(i);
    if (view.type != schema.columns[i].type || length_of(view) < chunk.row_count()) {
      return base::invalid(fmt::format("the column {} of a chunk is not {} x {}",
                                       schema.columns[i].name, chunk.row_count(),
                                       column_type_name(schema.columns[i].type)));
    }
  }
  return absl::OkStatus();
}

}  // namespace

void ProfileBuilder::State::add_rows(const Chunk& chunk, size_t begin, size_t count) {
  row_hashes.assign(count, 0);
  for (size_t i = 0; i < block.columns.size(); ++i) {
    std::visit([&](auto& column) { column.add(chunk.column(i), begin, row_hashes); },
               block.columns[i]);
  }
  for (const uint64_t row_hash : row_hashes) {
    const uint64_t hash = profile_hash(row_hash);
    if (total.rows.looks_at(hash)) {
      waiting_rows.push_back(hash);
    }
  }
  if (waiting_rows.size() > static_cast<size_t>(kBlockRows)) {
    settle();
  }
  block.row_count += static_cast<int64_t>(count);
}

ProfileBuilder::ProfileBuilder(Schema schema)
    : state_(std::make_unique<State>(std::move(schema))) {}
ProfileBuilder::~ProfileBuilder() = default;
ProfileBuilder::ProfileBuilder(ProfileBuilder&&) noexcept = default;
ProfileBuilder& ProfileBuilder::operator=(ProfileBuilder&&) noexcept = default;

absl::StatusOr<ProfileBuilder> ProfileBuilder::resume(Schema schema, const Profile& parent) {
  if (schema_of(parent) != schema) {
    return base::invalid("the profile to go on from speaks of other columns",
                         "profile all rows of the new version");
  }
  ProfileBuilder builder(std::move(schema));
  TRY(builder.state_->total, read_state(builder.state_->schema, parent.state));
  return builder;
}

absl::Status ProfileBuilder::add(const Chunk& chunk) {
  TRY(check_chunk(state_->schema, chunk));
  for (size_t begin = 0; begin < chunk.row_count();) {
    const auto room = static_cast<size_t>(kBlockRows - state_->block.row_count);
    const size_t count = std::min(chunk.row_count() - begin, room);
    state_->add_rows(chunk, begin, count);
    begin += count;
    if (state_->block.row_count == kBlockRows) {
      state_->fold();
    }
  }
  return absl::OkStatus();
}

absl::Status ProfileBuilder::merge(const ProfileBuilder& later) {
  state_->fold();
  state_->settle();
  if (later.state_->schema != state_->schema) {
    TRY(TableState wider, state_->total.widened(state_->schema, later.state_->schema));
    *state_ = State(later.state_->schema);
    state_->total = std::move(wider);
  }
  state_->total.rows.merge(later.state_->total.rows);
  state_->total.rows.add_all(later.state_->waiting_rows);
  state_->total.merge_columns(later.state_->total);
  state_->total.merge_columns(later.state_->block);
  return absl::OkStatus();
}

unsigned ProfileBuilder::row_sample_level() const {
  return state_->total.rows.level();
}

void ProfileBuilder::raise_row_sample_level(unsigned level) {
  state_->total.rows.raise_to(level);
}

const Schema& ProfileBuilder::schema() const {
  return state_->schema;
}

int64_t ProfileBuilder::row_count() const {
  return state_->total.row_count + state_->block.row_count;
}

Profile ProfileBuilder::finish() const {
  TableState all = state_->total;
  all.rows.add_all(state_->waiting_rows);
  all.merge_columns(state_->block);
  Profile profile = summarize(state_->schema, all);
  profile.state = write_state(state_->schema, all);
  return profile;
}

// --- ProfileCollector -----------------------------------------------------------------------

namespace {

class BlockProfiler final : public ChunkVisitor {
 public:
  BlockProfiler(const Schema& schema, unsigned row_sample_level) : builder_(schema) {
    builder_.raise_row_sample_level(row_sample_level);
  }
  absl::Status visit(const Chunk& chunk) override { return builder_.add(chunk); }
  const ProfileBuilder& builder() const { return builder_; }

 private:
  ProfileBuilder builder_;
};

}  // namespace

void ProfileCollector::start(Schema schema) {
  start(ProfileBuilder(std::move(schema)));
}

void ProfileCollector::start(ProfileBuilder earlier) {
  builder_ = std::make_unique<ProfileBuilder>(std::move(earlier));
  row_sample_level_ = builder_->row_sample_level();
}

BlockVisitorFactory ProfileCollector::factory() {
  return [this](int64_t) -> std::unique_ptr<ChunkVisitor> {
    CROMFORD_ASSERT(builder_ != nullptr, "start() comes before the scan");
    return std::make_unique<BlockProfiler>(builder_->schema(), row_sample_level_);
  };
}

BlockSink ProfileCollector::sink() {
  return [this](int64_t, std::unique_ptr<ChunkVisitor> visitor) -> absl::Status {
    CROMFORD_ASSERT(builder_ != nullptr, "start() comes before the scan");
    TRY(builder_->merge(static_cast<BlockProfiler&>(*visitor).builder()));
    row_sample_level_ = builder_->row_sample_level();
    return absl::OkStatus();
  };
}

// --- tables in memory -----------------------------------------------------------------------

namespace {

constexpr size_t kChunkRows = 2048;

// One column of a table in memory, handed out as chunk views.
class ColumnCutter {
 public:
  explicit ColumnCutter(const Column& column) : column_(column) {}

  ColumnView view(size_t begin, size_t count) {
    ColumnView view;
    view.type = column_.type;
    switch (column_.type) {
      case ColumnType::kNumber:
        view.numbers = std::span(column_.numbers).subspan(begin, count);
        break;
      case ColumnType::kText:
        cut_texts(begin, count);
        view.texts = texts_;
        break;
      case ColumnType::kDate:
        days_.resize(count);
        std::transform(cells(begin), cells(begin + count), days_.begin(),
                       [](int64_t cell) { return static_cast<int32_t>(cell); });
        view.days = days_;
        break;
      case ColumnType::kBoolean:
        booleans_.resize(count);
        std::transform(cells(begin), cells(begin + count), booleans_.begin(),
                       [](int64_t cell) { return static_cast<uint8_t>(cell != 0); });
        view.booleans = booleans_;
        break;
      default:
        view.integers = std::span(column_.integers).subspan(begin, count);
    }
    if (!column_.validity.empty()) {
      // Chunks begin at multiples of 64 rows.
      view.validity = column_.validity.data() + begin / 64;
    }
    return view;
  }

 private:
  std::vector<int64_t>::const_iterator cells(size_t row) const {
    return column_.integers.begin() + static_cast<std::ptrdiff_t>(row);
  }
  void cut_texts(size_t begin, size_t count) {
    texts_.resize(count);
    for (size_t i = 0; i < count; ++i) {
      const uint32_t code = column_.codes[begin + i];
      texts_[i] = code < column_.dictionary.size() ? std::string_view(column_.dictionary[code])
                                                   : std::string_view();
    }
  }

  const Column& column_;
  std::vector<int32_t> days_;
  std::vector<uint8_t> booleans_;
  std::vector<std::string_view> texts_;
};

}  // namespace

absl::StatusOr<Profile> profile_table(const Table& table) {
  ProfileBuilder builder(table.schema());
  std::vector<ColumnCutter> cutters;
  for (const Column& column : table.columns()) {
    cutters.emplace_back(column);
  }
  std::vector<ColumnView> views(cutters.size());
  const auto row_count = static_cast<size_t>(table.row_count());
  for (size_t begin = 0; begin < row_count; begin += kChunkRows) {
    const size_t count = std::min(kChunkRows, row_count - begin);
    for (size_t i = 0; i < cutters.size(); ++i) {
      views[i] = cutters[i].view(begin, count);
    }
    TRY(builder.add(Chunk(static_cast<int64_t>(begin), count, views)));
  }
  return builder.finish();
}

}  // namespace cromford::table
