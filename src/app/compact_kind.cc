// The job that makes the log of an endpoint a dataset version: the server writes segments as rows,
// a child makes parts of them, and the version is committed.

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "app/audit.h"
#include "app/dataset_files.h"
#include "app/dataset_version.h"
#include "app/endpoint_log.h"
#include "app/resources.h"
#include "base/name.h"
#include "feedback/compaction.h"
#include "serve/prediction_log.h"

namespace cromford::app {
namespace {

class CompactKind final : public flow::JobKind {
 public:
  explicit CompactKind(Context& context) : context_(context) {}
  std::string_view name() const override { return "compact"; }

  absl::StatusOr<flow::WorkerSpec> prepare(const flow::Job& job,
                                           const std::filesystem::path& work_dir) override;
  absl::StatusOr<std::string> finish(const flow::Job& job, std::string_view worker_result,
                                     const std::filesystem::path& work_dir) override;
  // Another compaction was faster.
  bool runs_again(const absl::Status& finished) const override { return absl::IsAborted(finished); }

 private:
  absl::StatusOr<base::Json> write_group(const std::string& key,
                                         const std::vector<uint32_t>& segments,
                                         const std::filesystem::path& csv) const;
  absl::StatusOr<VersionBodies> make_version(const base::Json& made, int64_t version) const;

  Context& context_;
};

// The rows of one part to be, and how the child finds them.
absl::StatusOr<base::Json> CompactKind::write_group(const std::string& key,
                                                    const std::vector<uint32_t>& segments,
                                                    const std::filesystem::path& csv) const {
  base::Json sources = base::Json::array();
  for (const uint32_t segment : segments) {
    TRY(const feedback::SegmentFacts facts, feedback::segment_facts(*context_.log, segment));
    sources.push_back(
        {{"name", facts.name}, {"size_bytes", facts.size_bytes}, {"hash", facts.hash}});
  }
  TRY(const feedback::CompactedPart part,
      feedback::compact_to_csv(*context_.log,
                               {.endpoint = key, .segments = segments, .output = csv}));
  return base::Json::object({{"csv", csv.string()},
                             {"schema", schema_json(part.schema)},
                             {"row_count", part.row_count},
                             {"outcome_count", part.joined_count},
                             {"segments", segments},
                             {"sources", std::move(sources)}});
}

absl::StatusOr<flow::WorkerSpec> CompactKind::prepare(const flow::Job& job,
                                                      const std::filesystem::path& work_dir) {
  TRY(const base::Json payload, base::parse_json(job.payload));
  const std::string endpoint = payload.value("endpoint", std::string());
  const std::string key = serve::log_key(job.project, endpoint);
  TRY(LogDataset dataset, read_log_dataset(context_, job.project, endpoint));
  TRY(context_.log->seal());
  // Before the outcomes are looked up: one that comes meanwhile is counted again by the next job.
  const feedback::EndpointStatistics counts = context_.log->statistics(key);
  TRY(const feedback::LateOutcomes late,
      feedback::late_outcomes(*context_.log, key, dataset.outcomes_through));
  for (LogPart& part : dataset.parts) {
    for (const uint32_t segment : part.segments) {
      const auto found = late.by_prediction.find(segment);
      part.late_outcomes += found == late.by_prediction.end() ? 0 : found->second;
    }
  }
  const CompactionPlan plan = plan_compaction(dataset.parts, context_.log->segments(key),
                                              payload.value("rows_max", int64_t{1}));
  base::Json input = {{"dataset", payload.at("dataset")},
                      {"endpoint", endpoint},
                      {"base_version", dataset.version},
                      {"schema", schema_json(dataset.schema)},
                      {"outcomes_through", late.through},
                      {"outcomes_seen", counts.joined + counts.corrections},
                      {"kept", base::Json::array()},
                      {"replaced_count", plan.replaced.size()},
                      {"row_count_left", plan.row_count_left},
                      {"groups", base::Json::array()},
                      {"memory_bytes", context_.options.limits.job_memory_bytes}};
  for (size_t i = 0; i < dataset.parts.size(); ++i) {
    if (!std::binary_search(plan.replaced.begin(), plan.replaced.end(), i)) {
      input["kept"].push_back(to_json(dataset.parts[i]));
    }
  }
  for (size_t i = 0; i < plan.groups.size(); ++i) {
    TRY(input["groups"].emplace_back(),
        write_group(key, plan.groups[i], work_dir / fmt::format("group-{}.csv", i)));
  }
  return flow::WorkerSpec{.input = base::dump_json(input),
                          .memory_limit_bytes = context_.options.limits.job_memory_bytes};
}

table::ImportedSource source_of(const base::Json& source) {
  return {.name = source.value("name", std::string()),
          .size_bytes = source.value("size_bytes", uint64_t{0}),
          .hash = source.value("hash", std::string()),
          .format = "log"};
}

absl::StatusOr<VersionBodies> CompactKind::make_version(const base::Json& made,
                                                        int64_t version) const {
  const int64_t base_version = made.value("base_version", int64_t{0});
  const std::string dataset = made.value("dataset", std::string());
  if (version != base_version + 1) {
    return changed_meanwhile(
        fmt::format("dataset '{}' has changed while the log was made ready for it", dataset),
        "compact it again");
  }
  table::Manifest manifest{.dataset = dataset, .version = version};
  manifest.created_at = context_.clock->now();
  TRY(manifest.schema, schema_from(made.at("schema")));
  TRY(manifest.engine, table::engine_version());
  manifest.append = base_version > 0 && made.value("replaced_count", size_t{0}) == 0;
  if (base_version > 0) {
    manifest.parents = {version_name(dataset, base_version)};
  }
  std::vector<ProfiledRows> profiles;
  for (const base::Json& json : made.at("parts")) {
    TRY(const LogPart part, log_part_from(json));
    if (!part.part.object.empty()) {
      manifest.row_count += part.part.row_count;
      manifest.size_bytes += part.part.size_bytes;
      manifest.parts.push_back(part.part);
      profiles.push_back({part.schema, part.profile_object});
    }
  }
  for (const base::Json& group : made.at("groups")) {
    for (const base::Json& source : group.at("sources")) {
      manifest.sources.push_back(source_of(source));
    }
  }
  TRY(manifest.profile_object, merged_profile(context_, profiles));
  manifest.content_hash = table::combined_hash(manifest.schema, manifest.parts);
  TRY(const base::ContentHash object,
      context_.objects->put_bytes(table::format_manifest(manifest)));
  base::Json body = version_json(manifest, object.text());
  body["endpoint"] = made.at("endpoint");
  body["internal"]["log"] = {{"outcomes_through", made.at("outcomes_through")},
                             {"outcomes_seen", made.at("outcomes_seen")},
                             {"parts", made.at("parts")}};
  return VersionBodies{.version = std::move(body),
                       .summary = {{"row_count", manifest.row_count},
                                   {"column_count", manifest.schema.columns.size()},
                                   {"size_bytes", manifest.size_bytes},
                                   {"endpoint", made.at("endpoint")}}};
}

absl::StatusOr<std::string> CompactKind::finish(const flow::Job& job,
                                                std::string_view worker_result,
                                                const std::filesystem::path& work_dir) {
  const ActingFor acting(acting_for(job));
  TRY(base::Json made, base::parse_json(worker_result));
  const std::string dataset = made.value("dataset", std::string());
  TRY(int64_t version, version_made_by(context_, "dataset", job.project, dataset, job.id));
  made["parts"] = made.at("kept");
  int64_t fresh_rows = 0;
  for (const base::Json& group : made.at("groups")) {
    TRY(const LogPart part, log_part_from(group.at("part")));
    fresh_rows += part.part.row_count;
    made["parts"].push_back(group.at("part"));
    if (version == 0 && !part.part.object.empty()) {
      TRY(take_objects(context_, {.parts = {part.part}, .profile_object = part.profile_object},
                       work_dir));
    }
  }
  const bool unchanged = version == 0 && fresh_rows == 0;
  if (version == 0 && !unchanged) {
    TRY(version, commit_version(context_, {.kind = "dataset",
                                           .project = job.project,
                                           .name = dataset,
                                           .made_by = job.id,
                                           .make = [&](int64_t number) {
                                             return make_version(made, number);
                                           }}));
  }
  return base::dump_json({{"endpoint", made.at("endpoint")},
                          {"dataset", dataset},
                          {"version", unchanged ? made.at("base_version") : base::Json(version)},
                          {"unchanged", unchanged},
                          {"rows_written", fresh_rows},
                          {"rows_left", made.at("row_count_left")}});
}

}  // namespace

std::unique_ptr<flow::JobKind> make_compact_kind(Context& context) {
  return std::make_unique<CompactKind>(context);
}

}  // namespace cromford::app
