#pragma once

// The language of lists (filter, order_by, page tokens) as plain values, apart from any database,
// so that SQLite and later PostgreSQL compile the same meaning. What it means is told in
// metadata.h.
//
//   TRY(const list::Plan plan, list::plan(query));
//   for (const list::Comparison& comparison : plan.filter) { ... }
//   std::string token = list::make_token(plan, key_of_last_row);
//
// Thread safety: values and functions only.

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "store/metadata.h"

namespace cromford::store::list {

enum class Column { kName, kProject, kCreatedAt, kUpdatedAt, kRevision, kBody };

// A column of the document, or a path into its body.
struct Field {
  Column column = Column::kName;
  std::vector<std::string> path = {};  // For kBody; at least one part.
  std::string text = {};               // As it was written, for messages.
};

enum class Operator { kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual, kContains };

struct Null {
  bool operator==(const Null&) const = default;
};
// What a field is compared with. A number keeps its spelling, because `version = 007` is also the
// text "007".
struct Literal {
  std::variant<Null, bool, int64_t, double, std::string> value;
  std::string spelling;
};

struct Comparison {
  Field field;
  Operator op = Operator::kEqual;
  Literal literal;
};

struct OrderKey {
  Field field;
  bool descending = false;
};

// A value of an order key as it is kept in a page token.
using KeyValue = std::variant<int64_t, double, std::string>;

struct Plan {
  std::vector<Comparison> filter;
  std::vector<OrderKey> order;  // Ends with name and project, so it orders totally.
  int32_t page_size = 0;
  std::vector<KeyValue> after;  // The keys of the last document of the page before; empty: none.
  uint64_t fingerprint = 0;     // Of every field that binds a page token.
};

inline constexpr size_t kFilterBytesMax = 4000;
inline constexpr size_t kComparisonsMax = 32;
inline constexpr size_t kOrderKeysMax = 4;
inline constexpr int32_t kPageSizeDefault = 50;
inline constexpr int32_t kPageSizeMax = 1000;
// Each order key is kept in the token as this many values: its rank (missing, boolean, number,
// text) and its value. Name, project and the other columns of the document have one.
size_t value_count(const OrderKey& key);

// Checks the query and takes it apart. INVALID_ARGUMENT names the field, the place and the remedy.
absl::StatusOr<Plan> plan(const ListQuery& query);

// The token of the page after a document whose order keys are `keys`.
std::string make_token(const Plan& plan, const std::vector<KeyValue>& keys);

// The parts of plan(), for its tests and its fuzzer.
absl::StatusOr<std::vector<Comparison>> parse_filter(std::string_view filter);
absl::StatusOr<std::vector<OrderKey>> parse_order(std::string_view order_by);

}  // namespace cromford::store::list
