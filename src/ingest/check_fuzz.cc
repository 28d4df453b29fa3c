// Whatever stands in a checks document: an error, or rules that say the same when written out and
// read again, and that can be planned or refused.

#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/json.h"
#include "ingest/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace ingest = cromford::ingest;
  namespace table = cromford::table;
  const auto document = cromford::base::parse_json({reinterpret_cast<const char*>(data), size});
  if (!document.ok()) {
    return 0;
  }
  auto checks = ingest::parse_checks(*document, "/checks");
  if (!checks.ok()) {
    return 0;
  }
  const cromford::base::Json written = ingest::to_json(*checks);
  const auto again = ingest::parse_checks(written, "/checks");
  if (!again.ok() || ingest::to_json(*again) != written) {
    std::abort();
  }
  // Expressions start the data engine, which is fuzzed elsewhere.
  std::erase_if(*checks,
                [](const ingest::Check& check) { return check.kind == ingest::CheckKind::kSql; });
  const table::Schema schema{{{"a", table::ColumnType::kInteger},
                              {"b", table::ColumnType::kText},
                              {"c", table::ColumnType::kTimestamp}}};
  const auto plan = ingest::plan_checks(*checks, schema);
  if (plan.ok()) {
    const ingest::CheckTally tally{.row_count = 10,
                                   .failed_rows = std::vector<int64_t>(plan->rows.size(), 1),
                                   .examples = {plan->rows.size(), std::vector<std::string>()}};
    ingest::judge_checks(*checks, *plan, tally).IgnoreError();
  }
  return 0;
}
