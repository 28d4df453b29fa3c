#include "learn/test_part.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "base/clock.h"
#include "base/hash.h"
#include "base/status.h"
#include "learn/parallel.h"
#include "learn/problem.h"

namespace cromford::learn {
namespace {

using base::Json;
using table::Column;

constexpr uint64_t kSalt = 0x9e3779b97f4a7c15U;
constexpr uint64_t kMissing = 0x6d697373696e6721U;
// Copies by chance that a row may be expected to have, and rows of its own content, before equal
// rows count as chance.
constexpr double kChanceCopiesMax = 0.1;
constexpr double kEqualRowsMax = 10;

// The hash of a value, the same whatever the column's type: 3 and 3.0 are one value.
uint64_t number_hash(double value) {
  return std::isnan(value) ? kMissing : mix_key(std::bit_cast<uint64_t>(value + 0.0), kSalt);
}

// Hashes of all cells of a column; texts are hashed once each.
class ColumnHash {
 public:
  explicit ColumnHash(const Column& column) : column_(column) {
    for (const std::string& text : column.dictionary) {
      texts_.push_back(text.empty() ? kMissing : base::hash64(text));
    }
  }
  uint64_t operator()(uint32_t row) const {
    if (column_.type != table::ColumnType::kText) {
      return number_hash(cell_number(column_, row));
    }
    return column_.valid(row) ? texts_[column_.codes[row]] : kMissing;
  }

 private:
  const Column& column_;
  std::vector<uint64_t> texts_;
};

absl::StatusOr<const Column*> find_column(const table::Table& table, const std::string& name) {
  if (const Column* column = table.find(name)) {
    return column;
  }
  return base::refused(
      fmt::format("the rows have no column '{}', which decides what the model was tested on", name),
      "compare on a version of the dataset that has it");
}

absl::StatusOr<std::vector<ColumnHash>> hashes_of(const table::Table& table,
                                                  const std::vector<std::string>& names) {
  std::vector<ColumnHash> columns;
  for (const std::string& name : names) {
    TRY(const Column* column, find_column(table, name));
    columns.emplace_back(*column);
  }
  return columns;
}

std::vector<uint64_t> hash_contents(const std::vector<ColumnHash>& columns, size_t row_count,
                                    size_t threads) {
  std::vector<uint64_t> hashes(row_count);
  in_pieces(row_count, threads, [&](size_t first, size_t last) {
    for (size_t row = first; row < last; ++row) {
      uint64_t hash = kSalt;
      for (const ColumnHash& column : columns) {
        hash = mix_key(hash, column(static_cast<uint32_t>(row)));
      }
      hashes[row] = hash;
    }
  });
  return hashes;
}

// How probable it is that two rows agree in all columns if the columns had nothing to do with each
// other: copies that someone made do not change it.
double agreement(const std::vector<ColumnHash>& columns, size_t row_count) {
  constexpr size_t sampled = 2000;
  const size_t count = std::min(row_count, sampled);
  const double pairs = static_cast<double>(count) * static_cast<double>(count - 1) / 2;
  double all = 1;
  std::vector<uint64_t> values(count);
  for (const ColumnHash& column : columns) {
    for (size_t i = 0; i < count; ++i) {
      values[i] = column(static_cast<uint32_t>(i * row_count / count));
    }
    std::sort(values.begin(), values.end());
    double equal = 1;  // Never nought: the sample cannot tell a small share from none.
    for (size_t i = 1, run = 0; i < count; ++i) {
      run = values[i] == values[i - 1] ? run + 1 : 0;
      equal += static_cast<double>(run);
    }
    all *= std::min(1.0, equal / pairs);
  }
  return all;
}

// How many rows a row's content has, on average over the rows; of many rows a part of the contents
// is looked at.
double equal_rows(const std::vector<uint64_t>& hashes) {
  constexpr size_t many = 300000;
  std::vector<uint64_t> sorted;
  for (const uint64_t hash : hashes) {
    if (hashes.size() <= many || hash % 16 == 0) {
      sorted.push_back(hash);
    }
  }
  std::sort(sorted.begin(), sorted.end());
  double squares = 0;
  for (size_t first = 0; first < sorted.size();) {
    const auto last = std::upper_bound(sorted.begin() + static_cast<ptrdiff_t>(first), sorted.end(),
                                       sorted[first]);
    const auto size = static_cast<size_t>(last - sorted.begin()) - first;
    squares += static_cast<double>(size) * static_cast<double>(size);
    first += size;
  }
  return sorted.empty() ? 1 : squares / static_cast<double>(sorted.size());
}

// Equal rows cannot be told from each other, so that it does not matter in which order they stand.
void number_copies(std::vector<uint64_t>& keys) {
  std::unordered_map<uint64_t, uint64_t> seen;
  for (uint64_t& key : keys) {
    key = mix_key(key, seen[key]++);
  }
}

absl::Status unreadable() {
  return base::refused("the package does not say which rows it was trained on",
                       "it was made by an earlier program; compare models trained by this one");
}

std::vector<std::string> texts_of(const Json& document, const char* key) {
  std::vector<std::string> texts;
  for (const Json& each : document.value(key, Json::array())) {
    if (each.is_string()) {
      texts.push_back(each.get<std::string>());
    }
  }
  return texts;
}

std::vector<double> numbers_of(const Json& document, const char* key) {
  std::vector<double> numbers;
  for (const Json& each : document.value(key, Json::array())) {
    if (each.is_number()) {
      numbers.push_back(each.get<double>());
    }
  }
  return numbers;
}

std::string text_of(const Json& document, const char* key) {
  const auto found = document.find(key);
  return found != document.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// Packages have always said from which moment a split by time tests.
absl::StatusOr<TestPart> part_by_time(const Json& manifest) {
  const Json split = manifest.value("split", Json::object());
  TestPart part{.by = TestPart::By::kTime, .time_column = text_of(split, "time_column")};
  const Json from = split.value("test_from", Json());
  if (part.time_column.empty() || !(from.is_number() || from.is_string())) {
    return unreadable();
  }
  if (from.is_number()) {
    part.from = from.get<double>();
    return part;
  }
  TRY(const base::Time time, base::parse_time(from.get<std::string>()));
  part.from = static_cast<double>(time.time_since_epoch().count()) / 1e6;
  return part;
}

}  // namespace

double key_share(uint64_t key) {
  return static_cast<double>(key >> 11U) * 0x1p-53;
}

uint64_t mix_key(uint64_t key, uint64_t salt) {
  uint64_t x = (key ^ salt) + kSalt;
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebU;
  return (x ^ (x >> 31U)) + std::rotl(key, 17);
}

Json test_part_json(const TestPart& part) {
  if (part.by == TestPart::By::kTime) {
    return {{"by", "time"}};  // split.time_column and split.test_from tell the rest.
  }
  Json document = {{"by", part.by == TestPart::By::kGroups ? "groups" : "rows"},
                   {"hashed", part.columns},
                   {"copies", part.copies_together ? "together" : "apart"},
                   {"below", part.below}};
  if (!part.classes.empty()) {
    document["target"] = part.target;
    document["classes"] = part.classes;
  }
  if (part.by == TestPart::By::kGroups) {
    document["group_column"] = part.group_column;
    document["taught"] = part.taught;
  }
  return document;
}

absl::StatusOr<TestPart> test_part_of(const Json& manifest) {
  if (!manifest.is_object()) {
    return unreadable();
  }
  const auto found = manifest.find("test_part");
  if (found == manifest.end() || !found->is_object() || text_of(*found, "by") == "time") {
    return part_by_time(manifest);
  }
  TestPart part{
      .by = text_of(*found, "by") == "groups" ? TestPart::By::kGroups : TestPart::By::kRows,
      .columns = texts_of(*found, "hashed"),
      .copies_together = text_of(*found, "copies") != "apart",
      .group_column = text_of(*found, "group_column"),
      .target = text_of(*found, "target"),
      .classes = texts_of(*found, "classes"),
      .below = numbers_of(*found, "below"),
      .taught = numbers_of(*found, "taught")};
  const bool grouped = part.by == TestPart::By::kGroups;
  if (part.columns.empty() || part.below.size() != std::max<size_t>(1, part.classes.size()) ||
      grouped == part.group_column.empty()) {
    return unreadable();
  }
  return part;
}

absl::StatusOr<std::vector<uint64_t>> row_keys(const table::Table& table, const TestPart& part,
                                               size_t threads) {
  TRY(const std::vector<ColumnHash> columns, hashes_of(table, part.columns));
  const auto row_count = static_cast<size_t>(table.row_count());
  std::vector<uint64_t> keys = hash_contents(columns, row_count, threads);
  if (!part.copies_together) {
    number_copies(keys);
  }
  if (part.by == TestPart::By::kGroups) {
    TRY(const Column* column, find_column(table, part.group_column));
    const ColumnHash hash(*column);
    for (size_t row = 0; row < row_count; ++row) {
      // A row without a group is a group of its own.
      const uint64_t group = hash(static_cast<uint32_t>(row));
      keys[row] = group == kMissing ? keys[row] : mix_key(kSalt, group);
    }
  }
  return keys;
}

TestPart plan_row_hash(const table::Table& table, std::vector<std::string> inputs,
                       const std::string& target, size_t threads) {
  std::sort(inputs.begin(), inputs.end());
  TestPart part{.columns = std::move(inputs)};
  const auto columns = hashes_of(table, part.columns);
  const auto row_count = static_cast<size_t>(table.row_count());
  if (!columns.ok() || row_count < 2) {
    return part;
  }
  const double chance = agreement(*columns, row_count) * static_cast<double>(row_count - 1);
  part.copies_together = chance <= kChanceCopiesMax &&
                         equal_rows(hash_contents(*columns, row_count, threads)) <= kEqualRowsMax;
  if (!part.copies_together) {
    part.columns.push_back(target);
    std::sort(part.columns.begin(), part.columns.end());
  }
  return part;
}

absl::StatusOr<std::vector<bool>> never_taught(const table::Table& table, const TestPart& part,
                                               size_t threads) {
  const auto row_count = static_cast<size_t>(table.row_count());
  std::vector<bool> unseen(row_count, false);
  if (part.by == TestPart::By::kTime) {
    TRY(const Column* column, find_column(table, part.time_column));
    if (column->type == table::ColumnType::kText) {
      return base::refused(fmt::format("the time column '{}' is text now", part.time_column),
                           "compare on a version of the dataset in which it is a time");
    }
    for (size_t row = 0; row < row_count; ++row) {
      unseen[row] = cell_number(*column, static_cast<uint32_t>(row)) >= part.from;
    }
    return unseen;
  }
  TRY(const std::vector<uint64_t> keys, row_keys(table, part, threads));
  const Column* target = nullptr;
  if (!part.classes.empty()) {
    TRY(target, find_column(table, part.target));
  }
  for (size_t row = 0; row < row_count; ++row) {
    double below = part.below.front();
    if (target != nullptr) {
      const auto index = static_cast<int64_t>(row);
      const std::string name = target->valid(index) ? table::cell_text(*target, index) : "";
      const auto found = std::find(part.classes.begin(), part.classes.end(), name);
      below = found == part.classes.end()
                  ? 0
                  : part.below[static_cast<size_t>(found - part.classes.begin())];
    }
    const double share = key_share(keys[row]);
    unseen[row] = share < below &&
                  std::find(part.taught.begin(), part.taught.end(), share) == part.taught.end();
  }
  return unseen;
}

}  // namespace cromford::learn
