#pragma once

// A whole factory in a temporary home, whose clock stands still and whose jobs run when a test says
// so, in the test's own thread and process: what comes between any two steps of a job's life is
// then the test's choice. Test-only.
//
//   class AppendTest : public FactoryFixture { ... };
//   const std::string id = import("trips", "a\n1\n", {.append = true});
//   HandRunner::Attempt attempt = runner().begin(id);      // prepare and the worker, no finish
//   runner().finish(attempt);
//   restart();                                             // as if the server had died
//
// Thread safety: as gtest's own.

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "app/audit.h"
#include "app/factory.h"
#include "app/worker.h"
#include "base/file_system.h"
#include "flow/job_store.h"
#include "model/package_writer.h"
#include "serve/known_packages.h"
#include "testing/faulty_file_system.h"
#include "testing/simulated_clock.h"
#include "testing/simulated_entropy.h"
#include "testing/status_matchers.h"
#include "testing/temp_dir.h"

namespace cromford::app {

// A runner that carries a job out when it is waited for or told to.
class HandRunner final : public flow::Runner {
 public:
  using Worker =
      std::function<absl::StatusOr<std::string>(std::string_view input, flow::WorkerContext&)>;

  struct Attempt {
    flow::Job job;
    std::filesystem::path work_dir;
    absl::StatusOr<std::string> result = std::string();  // The worker's.
  };

  HandRunner(store::Metadata& metadata, base::Clock& clock, base::IdSource& ids,
             std::filesystem::path work_root)
      : metadata_(metadata), clock_(clock), ids_(ids), work_root_(std::move(work_root)) {
    workers["import"] = import_rows;
  }

  std::map<std::string, Worker> workers;
  int reruns = 0;                // Of jobs that were out of date.
  std::vector<std::string> log;  // Of the worker that ran last.

  // Prepares the job anew and runs its worker.
  Attempt begin(const std::string& id, const std::string& project = "default") {
    Attempt attempt{.job = flow::get_job(metadata_, project, id).value(),
                    .work_dir = work_root_ / id};
    attempt.job.state = flow::JobState::kRunning;
    ++attempt.job.attempt;
    EXPECT_OK(flow::put_job(metadata_, attempt.job));
    EXPECT_OK(base::system_files().remove_all(attempt.work_dir));
    EXPECT_OK(base::system_files().create_directories(attempt.work_dir));
    const auto spec = child_kinds_.at(attempt.job.kind)->prepare(attempt.job, attempt.work_dir);
    if (!spec.ok()) {
      attempt.result = spec.status();
      return attempt;
    }
    log.clear();
    Context context(attempt.work_dir, log);
    attempt.result = workers.at(attempt.job.kind)(spec->input, context);
    return attempt;
  }

  // Ends what was begun, with another attempt where the kind wants one; gives the job's end.
  flow::Job finish(Attempt attempt) {
    flow::JobKind& kind = *child_kinds_.at(attempt.job.kind);
    absl::StatusOr<std::string> result = attempt.result;
    if (result.ok()) {
      result = kind.finish(attempt.job, *attempt.result, attempt.work_dir);
    }
    for (; !result.ok() && attempt.result.ok() && kind.runs_again(result.status()); ++reruns) {
      attempt = begin(attempt.job.id, attempt.job.project);
      result = attempt.result.ok() ? kind.finish(attempt.job, *attempt.result, attempt.work_dir)
                                   : attempt.result;
    }
    if (!result.ok()) {
      const std::string kept = kind.ended(attempt.job, result.status(), attempt.work_dir);
      return conclude(attempt.job, result.status(), kept.empty() ? "null" : kept);
    }
    return conclude(attempt.job, absl::OkStatus(), *result);
  }

  flow::Job run(const std::string& id, const std::string& project = "default") {
    const flow::Job job = flow::get_job(metadata_, project, id).value();
    if (flow::is_final(job.state)) {
      return job;
    }
    if (const auto kind = server_kinds_.find(job.kind); kind != server_kinds_.end()) {
      JobProgress progress;
      const absl::StatusOr<std::string> result = kind->second->run(job, progress);
      return conclude(job, result.status(), result.ok() ? *result : "null");
    }
    return finish(begin(id, project));
  }

  void add(std::unique_ptr<flow::JobKind> kind) override {
    child_kinds_[std::string(kind->name())] = std::move(kind);
  }
  void add(std::unique_ptr<flow::InServerKind> kind) override {
    server_kinds_[std::string(kind->name())] = std::move(kind);
  }
  absl::Status start() override { return absl::OkStatus(); }
  absl::StatusOr<flow::Job> submit(flow::NewJob request) override {
    std::string id = request.id.empty() ? ids_.next() : request.id;
    std::vector<store::Write> with = std::move(request.with);
    const flow::Job job = flow::new_job(std::move(request), std::move(id), clock_.now());
    const absl::Status stored = flow::put_new_job(metadata_, job, std::move(with));
    if (absl::IsAlreadyExists(stored)) {
      return get(job.project, job.id);
    }
    return stored.ok() ? absl::StatusOr<flow::Job>(job) : absl::StatusOr<flow::Job>(stored);
  }
  absl::StatusOr<flow::Job> get(std::string_view project, std::string_view id) const override {
    return flow::get_job(metadata_, project, id);
  }
  absl::StatusOr<flow::Job> cancel(std::string_view project, std::string_view id) override {
    TRY(const flow::Job job, get(project, id));
    return conclude(job, absl::CancelledError("it was cancelled"), "null");
  }
  absl::StatusOr<flow::Job> wait(std::string_view project, std::string_view id,
                                 const base::CancelToken& /*cancel*/) override {
    return run(std::string(id), std::string(project));
  }
  std::filesystem::path log_file(std::string_view id) const override {
    return work_root_ / (std::string(id) + ".log");
  }
  Counts counts() const override { return {}; }
  void stop() override {}

 private:
  class Context final : public flow::WorkerContext {
   public:
    Context(std::filesystem::path work_dir, std::vector<std::string>& lines)
        : work_dir_(std::move(work_dir)), lines_(lines) {}
    void progress(std::string_view, double, std::string_view) override {}
    void log(std::string_view line) override { lines_.emplace_back(line); }
    const base::CancelToken& cancel() const override { return cancel_; }
    const std::filesystem::path& work_dir() const override { return work_dir_; }

   private:
    std::filesystem::path work_dir_;
    std::vector<std::string>& lines_;
    base::CancelToken cancel_;
  };

  class JobProgress final : public flow::JobContext {
   public:
    void progress(std::string_view, double, const std::string&) override {}
    void log(std::string_view) override {}
    const base::CancelToken& cancel() const override { return cancel_; }

   private:
    base::CancelToken cancel_;
  };

  flow::Job conclude(flow::Job job, const absl::Status& why, const std::string& result) {
    if (const auto kind = child_kinds_.find(job.kind); kind != child_kinds_.end()) {
      job.payload = kind->second->kept_payload(job);
    }
    job.state = why.ok()                 ? flow::JobState::kSucceeded
                : absl::IsCancelled(why) ? flow::JobState::kCancelled
                                         : flow::JobState::kFailed;
    job.error = why;
    job.result = result;
    job.finished_at = clock_.now();
    EXPECT_OK(flow::put_job(metadata_, job));
    return job;
  }

  store::Metadata& metadata_;
  base::Clock& clock_;
  base::IdSource& ids_;
  const std::filesystem::path work_root_;
  std::map<std::string, std::unique_ptr<flow::JobKind>> child_kinds_;
  std::map<std::string, std::unique_ptr<flow::InServerKind>> server_kinds_;
};

// Metadata of which one commit fails.
class FaultyMetadata final : public store::Metadata {
 public:
  explicit FaultyMetadata(std::unique_ptr<store::Metadata> inner) : inner_(std::move(inner)) {}

  // The n-th commit from now fails, and nothing of it is written; 0: none.
  void fail_commit(int n) { failing_ = n; }

  absl::StatusOr<store::Document> get(const store::DocumentKey& key) const override {
    return inner_->get(key);
  }
  using store::Metadata::commit;
  absl::StatusOr<int64_t> commit(std::span<const store::Write> writes) override {
    if (failing_ > 0 && --failing_ == 0) {
      return base::unavailable("injected fault");
    }
    return inner_->commit(writes);
  }
  absl::StatusOr<store::DocumentPage> list(const store::ListQuery& query) const override {
    return inner_->list(query);
  }
  absl::Status visit_all(
      const std::function<absl::Status(const store::Document&)>& visit) const override {
    return inner_->visit_all(visit);
  }
  store::Metadata& inner() { return *inner_; }

 private:
  std::unique_ptr<store::Metadata> inner_;
  int failing_ = 0;
};

class FactoryFixture : public ::testing::Test {
 protected:
  void SetUp() override { restart(); }

  // Opens the home again, as after a crash: nothing but what is on disk is left.
  void restart() {
    factory_.reset();
    auto context = std::make_unique<Context>();
    context->options.home = directory_ / "home";
    context->options.version = "test";
    context->options.takes_up_jobs = false;  // And so no thread of the audit log's own.
    context->options.commit = "0123abc";
    context->options.round_interval = std::chrono::seconds(0);
    context->clock = &clock_;
    context->files = &files_;
    ASSERT_OK_AND_ASSIGN(context->home, store::Home::open(context->options.home));
    ASSERT_OK_AND_ASSIGN(std::unique_ptr<store::Metadata> metadata,
                         store::open_sqlite(context->home->database(), clock_));
    auto faulty = std::make_unique<FaultyMetadata>(std::move(metadata));
    metadata_ = faulty.get();
    context->metadata = govern::require_entries(std::move(faulty), audited_kinds());
    ASSERT_OK_AND_ASSIGN(context->objects, store::open_directory(context->home->objects(), files_));
    context->ids = std::make_unique<base::IdSource>(clock_, entropy_);
    context->auditor = std::make_unique<govern::Auditor>(clock_, *context->ids, entropy_);
    context->events = flow::make_event_hub({});
    auto runner = std::make_unique<HandRunner>(metadata_->inner(), clock_, *context->ids,
                                               context->home->tmp() / "jobs");
    runner_ = runner.get();
    context->runner = std::move(runner);
    context_ = context.get();
    factory_ = std::make_unique<Factory>(std::move(context));
    ASSERT_OK(factory_->open());
  }

  Factory& factory() { return *factory_; }
  HandRunner& runner() { return *runner_; }
  Context& context() { return *context_; }
  FaultyMetadata& metadata() { return *metadata_; }

  std::filesystem::path write(const std::string& name, std::string_view bytes) {
    const std::filesystem::path path = directory_ / name;
    EXPECT_OK(base::write_atomically(base::system_files(), path, bytes));
    return path;
  }

  // Makes the next version of a model out of a package.
  void add_model(const std::string& name, const model::PackageParts& parts) {
    const auto bytes = model::write_package(parts);
    ASSERT_OK(bytes);
    const std::filesystem::path file =
        write("added.package", {reinterpret_cast<const char*>(bytes->data()), bytes->size()});
    ASSERT_OK(factory().import_model("default", name, file));
  }

  // A worker of trainings that only writes a package, other for each seed, and a report in which
  // the model differs from its champion as `difference` says.
  HandRunner::Worker fake_training() {
    return [this](std::string_view text,
                  flow::WorkerContext& worker) -> absl::StatusOr<std::string> {
      TRY(const base::Json input, base::parse_json(text));
      const int64_t seed = input.at("settings").value("seed", int64_t{0});
      TRY(const auto bytes,
          model::write_package(serve::late_parts(0.01 * static_cast<double>(seed + 1))));
      TRY(base::write_atomically(base::system_files(), worker.work_dir() / "model.package",
                                 {reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
      ++training_count;
      base::Json report = {{"task", "binary"},
                           {"target", "late"},
                           {"columns", base::Json::array()},
                           {"metrics", {{"auc", {{"value", 0.7}}}}},
                           {"timing", {{"training", training_count}}},
                           {"lineage", input.at("lineage")}};
      if (input.at("champion").is_object()) {
        report["comparison"] = {
            {"champion", input.at("champion").at("name")},
            {"metrics", {{"log_loss", {{"difference", difference}, {"standard_error", 0.001}}}}}};
      }
      if (during_training) {
        during_training();
      }
      return base::dump_json(report);
    };
  }
  double difference = -0.05;
  int training_count = 0;
  std::function<void()> during_training;

  // Submits an import of these rows and gives the job's id.
  std::string submit_import(const std::string& dataset, const std::string& csv,
                            ImportRequest request = {}) {
    const std::filesystem::path file = write("rows-" + std::to_string(++file_count_) + ".csv", csv);
    request.files = {file.string()};
    const auto job =
        factory().start_import({.owner = true}, "default", dataset, std::move(request));
    EXPECT_OK(job);
    return job.ok() ? job->value("id", std::string()) : std::string();
  }

  testing::TempDir directory_;
  testing::SimulatedClock clock_;
  testing::SimulatedEntropy entropy_;
  testing::FaultyFileSystem files_;

 private:
  Context* context_ = nullptr;  // Owned by the factory, as the next two are.
  FaultyMetadata* metadata_ = nullptr;
  HandRunner* runner_ = nullptr;
  std::unique_ptr<Factory> factory_;
  int file_count_ = 0;
};

}  // namespace cromford::app
