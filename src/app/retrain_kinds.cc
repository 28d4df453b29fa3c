#include "app/retrain_kinds.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/dataset_files.h"
#include "app/gate.h"
#include "app/model_files.h"
#include "app/resources.h"

namespace cromford::app {
namespace {

absl::StatusOr<std::string> package_of(const Context& context, const std::string& project,
                                       const std::string& reference) {
  TRY(const Versioned model, find_reference(context, "model", project, reference));
  TRY(const std::filesystem::path file, package_file(context, model));
  return file.string();
}

// The payload with the files that it names.
absl::StatusOr<flow::WorkerSpec> worker_spec(const Context& context, const flow::Job& job,
                                             std::initializer_list<const char*> models) {
  TRY(base::Json input, base::parse_json(job.payload));
  for (const char* key : models) {
    TRY(input["packages"][key], package_of(context, job.project, input.value(key, std::string())));
  }
  TRY(const Versioned version,
      find_reference(context, "dataset", job.project, input.value("dataset", std::string())));
  TRY(const table::StoredTable stored, verified_table(context, version));
  input["table"] = stored_table_json(stored);
  input["memory_bytes"] = context.options.limits.job_memory_bytes;
  return flow::WorkerSpec{.input = base::dump_json(input),
                          .memory_limit_bytes = context.options.limits.job_memory_bytes,
                          .time_limit = std::chrono::hours(1)};
}

class ChooseKind final : public flow::JobKind {
 public:
  explicit ChooseKind(Context& context) : context_(context) {}
  std::string_view name() const override { return "choose"; }
  absl::StatusOr<flow::WorkerSpec> prepare(const flow::Job& job,
                                           const std::filesystem::path& /*work_dir*/) override {
    return worker_spec(context_, job, {"model"});
  }
  absl::StatusOr<std::string> finish(const flow::Job& /*job*/, std::string_view worker_result,
                                     const std::filesystem::path& /*work_dir*/) override {
    return std::string(worker_result);
  }

 private:
  Context& context_;
};

class JudgeKind final : public flow::JobKind {
 public:
  explicit JudgeKind(Context& context) : context_(context) {}
  std::string_view name() const override { return "judge"; }
  absl::StatusOr<flow::WorkerSpec> prepare(const flow::Job& job,
                                           const std::filesystem::path& /*work_dir*/) override {
    return worker_spec(context_, job, {"champion", "candidate"});
  }
  absl::StatusOr<std::string> finish(const flow::Job& job, std::string_view worker_result,
                                     const std::filesystem::path& work_dir) override;

 private:
  Context& context_;
};

// A policy that names no rule still lets nothing through that is worse.
base::Json default_rules(const base::Json& measured) {
  const bool regression = measured.value("task", std::string()) == "regression";
  const base::Json rule = {{"metric", regression ? "rmse" : "log_loss"}};
  return base::Json::array({base::Json::object({{"not_worse_than_champion", rule}})});
}

absl::StatusOr<std::string> JudgeKind::finish(const flow::Job& job, std::string_view worker_result,
                                              const std::filesystem::path& /*work_dir*/) {
  TRY(const base::Json payload, base::parse_json(job.payload));
  TRY(base::Json measured, base::parse_json(worker_result));
  const std::string champion = payload.value("champion", std::string());
  const std::string candidate = payload.value("candidate", std::string());
  measured["comparison"]["champion"] = champion;
  const size_t at = candidate.rfind('@');
  measured["model"] = candidate.substr(0, at);
  measured["version"] = std::stoll("0" + candidate.substr(at + 1));
  base::Json rules = payload.value("rules", base::Json::array());
  if (rules.empty()) {
    rules = default_rules(measured);
  }
  const absl::StatusOr<base::Json> verdict = judge_gate_rules(rules, measured, champion);
  base::Json evidence = {
      {"champion", champion},         {"candidate", candidate}, {"dataset", payload.at("dataset")},
      {"where", payload.at("where")}, {"declared", rules},      {"measured", measured},
      {"passed", verdict.ok()}};
  std::string reason;
  if (verdict.ok()) {
    evidence["rules"] = verdict->at("rules");
    for (const base::Json& rule : verdict->at("rules")) {
      reason += fmt::format("{}{}", reason.empty() ? "" : "; ", rule.value("reason", ""));
    }
  } else {
    reason = std::string(base::message(verdict.status()));
  }
  evidence["reason"] = reason;
  TRY(const base::ContentHash hash, context_.objects->put_bytes(base::dump_json(evidence)));
  return base::dump_json({{"passed", verdict.ok()},
                          {"evidence", hash.text()},
                          {"reason", reason},
                          {"quality", measured.value("quality", base::Json())}});
}

}  // namespace

std::unique_ptr<flow::JobKind> make_choose_kind(Context& context) {
  return std::make_unique<ChooseKind>(context);
}

std::unique_ptr<flow::JobKind> make_judge_kind(Context& context) {
  return std::make_unique<JudgeKind>(context);
}

}  // namespace cromford::app
