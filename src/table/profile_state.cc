#include "table/profile_state.h"

#include <fmt/format.h>

#include "base/status.h"
#include "table/profile_hash.h"

namespace cromford::table {
namespace {

constexpr std::string_view kMagic = "CFPS";

ColumnState make_column(ColumnType type) {
  if (type == ColumnType::kText) {
    return TextState();
  }
  return NumberState(type);
}

uint64_t hash_of(const Schema& schema) {
  uint64_t hash = schema.columns.size();
  for (const ColumnSchema& column : schema.columns) {
    hash = combine_hashes(hash, profile_hash(std::string_view(column.name)));
    hash = combine_hashes(hash, profile_hash(column_type_name(column.type)));
  }
  return hash;
}

absl::Status damaged_state(std::string_view what) {
  return base::damaged(fmt::format("the state of the profile is damaged: {}", what),
                       "profile the dataset version again");
}

int64_t rows_of(const ColumnState& column) {
  return std::visit([](const auto& state) { return state.missing() + state.present(); }, column);
}

}  // namespace

TableState::TableState(const Schema& schema) {
  columns.reserve(schema.columns.size());
  for (const ColumnSchema& column : schema.columns) {
    columns.push_back(make_column(column.type));
  }
}

void TableState::merge_columns(const TableState& later) {
  if (later.row_count == 0) {
    return;
  }
  if (row_count == 0) {
    columns = later.columns;
  } else {
    for (size_t i = 0; i < columns.size(); ++i) {
      if (auto* number = std::get_if<NumberState>(&columns[i])) {
        number->merge(std::get<NumberState>(later.columns[i]));
      } else {
        std::get<TextState>(columns[i]).merge(std::get<TextState>(later.columns[i]));
      }
    }
  }
  row_count += later.row_count;
}

std::string write_state(const Schema& schema, const TableState& state) {
  StateWriter out;
  out.integer(kProfileFormat);
  out.word(hash_of(schema));
  out.count(state.row_count);
  state.rows.write(out);
  for (const ColumnState& column : state.columns) {
    std::visit([&out](const auto& known) { known.write(out); }, column);
  }
  StateWriter sum;
  sum.word(profile_hash(std::string_view(out.bytes())));
  return std::string(kMagic) + sum.bytes() + out.bytes();
}

absl::StatusOr<TableState> read_state(const Schema& schema, std::string_view bytes) {
  if (bytes.empty()) {
    return damaged_state("it is absent");
  }
  if (!bytes.starts_with(kMagic)) {
    return damaged_state("its first bytes are not CFPS");
  }
  StateReader head(bytes.substr(kMagic.size()));
  const uint64_t sum = head.word();
  if (!head.ok()) {
    return damaged_state("it ends early");
  }
  const std::string_view body = bytes.substr(kMagic.size() + 8);
  if (profile_hash(body) != sum) {
    return damaged_state("its checksum is wrong");
  }
  StateReader in(body);
  if (in.integer() != kProfileFormat) {
    return damaged_state("it is of another format than 1");
  }
  if (in.word() != hash_of(schema)) {
    return damaged_state("it belongs to other columns");
  }
  TableState state(schema);
  state.row_count = in.count();
  state.rows.read(in);
  for (ColumnState& column : state.columns) {
    if (!in.ok() || !std::visit([&in](auto& known) { return known.read(in); }, column) ||
        rows_of(column) != state.row_count) {
      return damaged_state("a column cannot be read");
    }
  }
  if (!in.at_end()) {
    return damaged_state("its length is wrong");
  }
  return state;
}

Schema schema_of(const Profile& profile) {
  Schema schema;
  for (const ColumnProfile& column : profile.columns) {
    schema.columns.push_back({column.name, column.storage});
  }
  return schema;
}

}  // namespace cromford::table
