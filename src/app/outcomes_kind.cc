#include "app/outcomes_kind.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "app/factory.h"
#include "app/uploads.h"
#include "base/limits.h"
#include "serve/outcome_json.h"

namespace cromford::app {
namespace {

constexpr size_t kBatchRows = 10'000;
constexpr size_t kRejectedListedMax = 100;

// What all batches of a file came to.
struct Total {
  feedback::OutcomeReceipt receipt;
  uint64_t rejected_count = 0;
  base::Json rejected = base::Json::array();
  size_t rows = 0;

  void add(const feedback::OutcomeReceipt& batch,
           std::span<const feedback::OutcomeRecord> records) {
    receipt.accepted += batch.accepted;
    receipt.joined += batch.joined;
    receipt.waiting += batch.waiting;
    receipt.duplicates += batch.duplicates;
    receipt.corrections += batch.corrections;
    rejected_count += batch.rejected.size();
    for (const feedback::RejectedOutcome& one : batch.rejected) {
      if (rejected.size() < kRejectedListedMax) {
        rejected.push_back({{"row", rows + one.index + 1},
                            {"id", std::string(records[one.index].id)},
                            {"detail", base::message(one.reason)}});
      }
    }
    rows += records.size();
  }
};

class OutcomesKind final : public flow::JobKind {
 public:
  OutcomesKind(Context& context, serve::Registry& registry)
      : context_(context), registry_(registry) {}
  std::string_view name() const override { return "outcomes"; }

  absl::StatusOr<flow::WorkerSpec> prepare(const flow::Job& job,
                                           const std::filesystem::path& /*work_dir*/) override {
    TRY(base::Json input, base::parse_json(job.payload));
    input["memory_bytes"] = context_.options.limits.job_memory_bytes;
    return flow::WorkerSpec{.input = base::dump_json(input),
                            .memory_limit_bytes = context_.options.limits.job_memory_bytes};
  }

  absl::StatusOr<std::string> finish(const flow::Job& job, std::string_view /*worker_result*/,
                                     const std::filesystem::path& work_dir) override {
    TRY(const base::Json payload, base::parse_json(job.payload));
    const std::string endpoint = payload.value("endpoint", std::string());
    const serve::Lease served = registry_.find(job.project, endpoint);
    if (!served) {
      return no_such_endpoint(endpoint);
    }
    const std::string key = serve::log_key(job.project, endpoint);
    const feedback::OutcomeRule rule = serve::outcome_rule(*served);
    Total total;
    std::ifstream file(work_dir / "outcomes.jsonl");
    std::string body;
    serve::OutcomeBody outcomes;
    for (bool more = true; more;) {
      more = next_batch(file, body);
      if (body.empty()) {
        break;
      }
      TRY(outcomes.parse(body, context_.options.limits));
      TRY(const feedback::OutcomeReceipt receipt,
          context_.log->add_outcomes(key, rule, with_time(outcomes.records(), job.created_at)));
      total.add(receipt, outcomes.records());
    }
    drop_upload(context_, payload.value("spooled_file", std::string()));
    return base::dump_json({{"endpoint", endpoint},
                            {"accepted", total.receipt.accepted},
                            {"joined", total.receipt.joined},
                            {"waiting", total.receipt.waiting},
                            {"duplicates", total.receipt.duplicates},
                            {"corrections", total.receipt.corrections},
                            {"rejected_count", total.rejected_count},
                            {"rejected", total.rejected}});
  }

  std::string ended(const flow::Job& job, const absl::Status& /*why*/,
                    const std::filesystem::path& /*work_dir*/) override {
    if (const auto payload = base::parse_json(job.payload); payload.ok()) {
      drop_upload(context_, payload->value("spooled_file", std::string()));
    }
    return {};
  }

 private:
  // The next lines as a body of `:outcomes`, empty at the end. Whether there may be more.
  static bool next_batch(std::istream& file, std::string& body) {
    body.clear();
    size_t count = 0;
    for (std::string line; count < kBatchRows && std::getline(file, line); ++count) {
      body += body.empty() ? R"({"outcomes":[)" : ",";
      body += line;
    }
    if (!body.empty()) {
      body += "]}";
    }
    return count == kBatchRows;
  }

  static std::vector<feedback::OutcomeRecord> with_time(
      std::span<const feedback::OutcomeRecord> records, base::Time time) {
    std::vector<feedback::OutcomeRecord> timed(records.begin(), records.end());
    for (feedback::OutcomeRecord& record : timed) {
      record.at = record.at.value_or(time);
    }
    return timed;
  }

  Context& context_;
  serve::Registry& registry_;
};

}  // namespace

std::unique_ptr<flow::JobKind> make_outcomes_kind(Context& context, serve::Registry& registry) {
  return std::make_unique<OutcomesKind>(context, registry);
}

}  // namespace cromford::app
