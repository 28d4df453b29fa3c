#include "app/evaluate_kind.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/dataset_files.h"
#include "app/model_files.h"
#include "app/resources.h"
#include "app/uploads.h"

namespace cromford::app {
namespace {

// What both kinds hand to their workers: the payload with the files that it names, the package
// and the stored table where there is one.
absl::StatusOr<flow::WorkerSpec> worker_spec(const Context& context, const flow::Job& job) {
  TRY(const base::Json payload, base::parse_json(job.payload));
  base::Json input = payload;
  TRY(const Versioned model,
      find_reference(context, "model", job.project, payload.value("model", std::string())));
  TRY(const std::filesystem::path package, package_file(context, model));
  input["package"] = package.string();
  input["memory_bytes"] = context.options.limits.job_memory_bytes;
  input["temporary_bytes_max"] = context.options.limits.temporary_bytes;
  if (const std::string dataset = payload.value("dataset", std::string()); !dataset.empty()) {
    TRY(const Versioned version, find_reference(context, "dataset", job.project, dataset));
    TRY(const table::StoredTable stored, verified_table(context, version));
    input["table"] = stored_table_json(stored);
  }
  return flow::WorkerSpec{.input = base::dump_json(input),
                          .memory_limit_bytes = context.options.limits.job_memory_bytes};
}

class EvaluateKind final : public flow::JobKind {
 public:
  explicit EvaluateKind(Context& context) : context_(context) {}
  std::string_view name() const override { return "evaluate"; }

  absl::StatusOr<flow::WorkerSpec> prepare(const flow::Job& job,
                                           const std::filesystem::path& /*work_dir*/) override {
    return worker_spec(context_, job);
  }

  absl::StatusOr<std::string> finish(const flow::Job& job, std::string_view worker_result,
                                     const std::filesystem::path& /*work_dir*/) override {
    TRY(const base::Json payload, base::parse_json(job.payload));
    TRY(base::Json result, base::parse_json(worker_result));
    result["model"] = payload.at("model");
    result["dataset"] = payload.at("dataset");
    result["where"] = payload.value("where", std::string());
    return base::dump_json(result);
  }

 private:
  Context& context_;
};

class ScoreKind final : public flow::JobKind {
 public:
  explicit ScoreKind(Context& context) : context_(context) {}
  std::string_view name() const override { return "score"; }

  absl::StatusOr<flow::WorkerSpec> prepare(const flow::Job& job,
                                           const std::filesystem::path& /*work_dir*/) override {
    return worker_spec(context_, job);
  }

  absl::StatusOr<std::string> finish(const flow::Job& job, std::string_view worker_result,
                                     const std::filesystem::path& work_dir) override {
    TRY(const base::Json payload, base::parse_json(job.payload));
    TRY(base::Json result, base::parse_json(worker_result));
    const std::filesystem::path file = work_dir / result.value("output", std::string());
    TRY(const base::ContentHash hash, context_.objects->put_file(file));
    const bool parquet = payload.value("format", std::string()) == "parquet";
    TRY(const uint64_t size, context_.files->size(file));
    result.erase("output");
    result["file"] = {
        {"hash", hash.text()},
        {"size_bytes", size},
        {"name", parquet ? "predictions.parquet" : "predictions.csv"},
        {"content_type", parquet ? "application/vnd.apache.parquet" : "text/csv; charset=utf-8"}};
    drop_upload(context_, payload.value("spooled_file", std::string()));
    return base::dump_json(result);
  }

  std::string ended(const flow::Job& job, const absl::Status& /*why*/,
                    const std::filesystem::path& /*work_dir*/) override {
    const absl::StatusOr<base::Json> payload = base::parse_json(job.payload);
    if (payload.ok()) {
      drop_upload(context_, payload->value("spooled_file", std::string()));
    }
    return {};
  }

 private:
  Context& context_;
};

}  // namespace

std::unique_ptr<flow::JobKind> make_evaluate_kind(Context& context) {
  return std::make_unique<EvaluateKind>(context);
}

std::unique_ptr<flow::JobKind> make_score_kind(Context& context) {
  return std::make_unique<ScoreKind>(context);
}

}  // namespace cromford::app
