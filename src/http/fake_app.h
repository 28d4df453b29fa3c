#pragma once

// An `app::App` that does nothing but note how it was called, for the tests of the handlers. What
// a call answers can be set; by default it is an object that names the call.
//
//   FakeApp app;
//   app.answer = base::conflict("...");
//   ...
//   EXPECT_EQ(app.calls.back(), "dataset default flights");
//
// Thread safety: one request at a time.

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/app.h"
#include "app/audit.h"
#include "base/assert.h"

namespace cromford::http {

class FakeApp final : public app::App {
 public:
  using Json = base::Json;
  using Answer = absl::StatusOr<Json>;
  using Text = const std::string&;

  std::vector<std::string> calls;
  std::optional<absl::Status> failure;
  std::string etag = "\"7\"";
  app::ImportRequest import;
  std::filesystem::path folder;
  app::ListRequest list;
  app::RowsRequest rows;
  app::IfMatch if_match;
  app::Caller caller;
  Json body;
  app::Download download;
  absl::Status readiness;
  int asked = 0;  // Predictions.
  std::string seen;
  std::map<std::string, std::string> notes;

  base::Limits bounds;

  const base::Limits& limits() const override { return bounds; }
  void end_queries() override {}
  void stop() override {}

  absl::StatusOr<std::optional<std::string>> find_note(Text key) override {
    const auto found = notes.find(key);
    return found == notes.end() ? std::optional<std::string>() : found->second;
  }
  absl::Status put_note(Text key, Text text) override {
    notes[key] = text;
    return absl::OkStatus();
  }
  absl::Status remove_note(Text key) override {
    notes.erase(key);
    return absl::OkStatus();
  }

  Answer list_datasets(Text p, const app::ListRequest& r) override {
    return listed("list_datasets", p, r);
  }
  Answer dataset(Text p, Text n) override { return note("dataset", p, n); }
  absl::Status delete_dataset(Text p, Text n) override {
    return note("delete_dataset", p, n).status();
  }
  Answer list_dataset_versions(Text p, Text n, const app::ListRequest& r) override {
    return listed("list_dataset_versions", p + " " + n, r);
  }
  Answer dataset_version(Text p, Text n, Text v) override { return note("version", p, n, v); }
  Answer start_import(const app::Caller& c, Text p, Text n, app::ImportRequest r) override {
    caller = c;
    import = std::move(r);
    return note("import", p, n);
  }
  Answer dataset_rows(Text p, Text n, Text v, const app::RowsRequest& r) override {
    rows = r;
    return note("rows", p, n, v);
  }
  Answer dataset_quarantine(Text p, Text n, Text v, int64_t limit) override {
    return note("quarantine", p, n, v, std::to_string(limit));
  }
  absl::StatusOr<app::Download> export_dataset(Text p, Text n, Text v, Text f, Text w) override {
    return downloaded(note("export", p, n, v, f, w));
  }
  Answer diff_dataset(Text p, Text n, Text from, Text to) override {
    return note("diff", p, n, from, to);
  }
  Answer start_run(const app::Caller& c, Text p, const Json& r) override {
    caller = c;
    body = r;
    return note("start_run", p);
  }
  Answer list_runs(Text p, const app::ListRequest& r) override { return listed("list_runs", p, r); }
  Answer run(Text p, Text id) override { return note("run", p, id); }
  Answer cancel_run(Text p, Text id) override { return note("cancel_run", p, id); }
  Answer list_models(Text p, const app::ListRequest& r) override {
    return listed("list_models", p, r);
  }
  Answer model(Text p, Text n) override { return note("model", p, n); }
  absl::Status delete_model(Text p, Text n) override { return note("delete_model", p, n).status(); }
  Answer list_model_versions(Text p, Text n, const app::ListRequest& r) override {
    return listed("list_model_versions", p + " " + n, r);
  }
  Answer model_version(Text p, Text n, Text v) override { return note("model_version", p, n, v); }
  absl::StatusOr<std::string> model_card(Text p, Text n, Text v, Text f) override {
    const Answer noted = note("card", p, n, v, f);
    return noted.ok() ? absl::StatusOr<std::string>("a card") : noted.status();
  }
  absl::StatusOr<app::Download> model_package(Text p, Text n, Text v) override {
    return downloaded(note("package", p, n, v));
  }
  Answer import_model(Text p, Text n, const std::filesystem::path& file) override {
    import.spooled_file = file;
    Answer noted = note("import_model", p, n);
    if (noted.ok()) {
      (*noted)["version"] = 4;
    }
    return noted;
  }
  Answer start_evaluation(const app::Caller& c, Text p, Text n, Text v, const Json& r) override {
    caller = c;
    body = r;
    return note("evaluate", p, n, v);
  }
  Answer start_scoring(const app::Caller& c, Text p, Text n, Text v, const Json& r,
                       const std::filesystem::path& file) override {
    caller = c;
    body = r;
    import.spooled_file = file;
    return note("score", p, n, v);
  }
  Answer list_endpoints(Text p, const app::ListRequest& r) override {
    return listed("list_endpoints", p, r);
  }
  Answer endpoint(Text p, Text n) override { return note("endpoint", p, n); }
  Answer deploy(Text p, Text n, const Json& r, const app::IfMatch& tag) override {
    body = r;
    return tagged(note("deploy", p, n), tag);
  }
  Answer split_endpoint(Text p, Text n, const Json& r, const app::IfMatch& tag) override {
    body = r;
    return tagged(note("split", p, n), tag);
  }
  Answer promote_endpoint(Text p, Text n, const app::IfMatch& tag) override {
    return tagged(note("promote", p, n), tag);
  }
  Answer rollback_endpoint(Text p, Text n, const app::IfMatch& tag) override {
    return tagged(note("rollback", p, n), tag);
  }
  absl::Status delete_endpoint(Text p, Text n, const app::IfMatch& tag) override {
    return tagged(note("delete_endpoint", p, n), tag).status();
  }
  Answer lifecycle(Text p, Text n) override { return note("lifecycle", p, n); }
  Answer loop_evidence(Text p, Text n, Text h) override { return note("evidence", p, n, h); }
  Answer retrain_endpoint(Text p, Text n, const Json& r) override {
    body = r;
    return note("retrain", p, n);
  }
  Answer decide_candidate(Text p, Text n, const Json& r, bool yes) override {
    body = r;
    return note(yes ? "approve" : "reject", p, n);
  }
  Answer endpoint_policy(Text p, Text n) override { return note("policy", p, n); }
  Answer put_endpoint_policy(Text p, Text n, const Json& r, const app::IfMatch& tag) override {
    body = r;
    return tagged(note("put_policy", p, n), tag);
  }
  absl::Status predict_json(std::string_view p, std::string_view n, std::string_view bytes,
                            bool ignore_unknown, bool quick_only, std::string& out) override {
    seen = bytes;
    ++asked;
    if (quick_only && bytes.find("too long") != std::string_view::npos) {
      return app::too_long_here();
    }
    out += R"({"endpoint":"late","predictions":[]})";
    return note("predict", std::string(p), std::string(n), ignore_unknown ? "ignore" : "refuse")
        .status();
  }
  absl::Status open_inference_infer(std::string_view m, std::string_view v, std::string_view bytes,
                                    bool /*quick_only*/, std::string& out) override {
    seen = bytes;
    out += R"({"model_name":"late","outputs":[]})";
    return note("infer", std::string(m), std::string(v)).status();
  }
  bool has_uncommitted_predictions() override { return false; }
  void commit_predictions(std::function<void(absl::Status)> done) override {
    done(absl::OkStatus());
  }
  void add_outcomes(std::string_view p, std::string_view n, std::string_view bytes,
                    std::function<void(absl::StatusOr<std::string>)> done) override {
    seen = bytes;
    const Answer noted = note("outcomes", std::string(p), std::string(n));
    done(noted.ok() ? absl::StatusOr<std::string>(R"({"accepted":0})") : noted.status());
  }
  Answer start_outcomes(const app::Caller& c, Text p, Text n, Text format, Text source,
                        const std::filesystem::path& file) override {
    caller = c;
    import.spooled_file = file;
    return note("start_outcomes", p, n, format + " " + source);
  }
  absl::StatusOr<app::Download> endpoint_log(Text p, Text n, Text from, Text to,
                                             Text format) override {
    return downloaded(note("log_of", p, n, from + " " + to, format));
  }
  Answer check_endpoint(Text p, Text n) override { return note("check", p, n); }
  Answer start_compaction(const app::Caller& c, Text p, Text n) override {
    caller = c;
    return note("compact", p, n);
  }
  Answer monitor_endpoint(Text p, Text n, Text from, Text to, Text window) override {
    return note("monitor", p, n, from + " " + to, window);
  }
  Answer list_alerts(Text p, const app::ListRequest& r) override {
    return listed("list_alerts", p, r);
  }
  Answer alert(Text p, Text id) override { return note("alert", p, id); }
  Answer acknowledge_alert(Text p, Text id) override { return note("acknowledge", p, id); }
  Answer silence_alert(Text p, Text id, const Json& document) override {
    body = document;
    return note("silence", p, id);
  }
  Answer prediction(Text p, Text n, Text id) override { return note("prediction", p, n, id); }
  absl::StatusOr<std::string> open_inference_metadata(std::string_view m,
                                                      std::string_view v) override {
    const Answer noted = note("metadata", std::string(m), std::string(v));
    return noted.ok() ? absl::StatusOr<std::string>("{}") : noted.status();
  }
  absl::StatusOr<bool> open_inference_ready(std::string_view m, std::string_view v) override {
    TRY(note("ready", std::string(m), std::string(v)));
    return readiness.ok();
  }
  std::string open_inference_server_metadata() override { return R"({"name":"cromford"})"; }
  Answer list_pipelines(Text p, const app::ListRequest& r) override {
    return listed("list_pipelines", p, r);
  }
  Answer pipeline(Text p, Text n) override { return note("pipeline", p, n); }
  Answer apply_pipeline(const app::Caller& c, Text p, Text n, std::string_view yaml,
                        const std::filesystem::path& where) override {
    caller = c;
    seen = yaml;
    folder = where;
    return note("apply", p, n);
  }
  absl::Status delete_pipeline(Text p, Text n) override {
    return note("delete_pipeline", p, n).status();
  }
  Answer run_pipeline(const app::Caller& c, Text p, Text n) override {
    caller = c;
    return note("run_pipeline", p, n);
  }
  Answer pipeline_history(Text p, Text n, const app::ListRequest& r) override {
    return listed("history", p + " " + n, r);
  }
  Answer list_audit(Text p, const app::AuditRequest& r) override {
    seen = fmt::format("{} {} {} {} {} {}", r.object, r.actor, r.from, r.to, r.at,
                       app::ActingFor::now().actor);
    return listed("list_audit", p, r.list);
  }
  Answer audit_checkpoint(std::optional<int64_t> from) override {
    return note("checkpoint", from ? std::to_string(*from) : std::string("newest"));
  }
  Answer audit_entry(Text p, Text id) override { return note("audit_entry", p, id); }
  absl::StatusOr<app::Download> export_audit() override { return downloaded(note("export_audit")); }
  Answer lineage(Text p, Text object) override { return note("lineage", p, object); }

  Answer list_jobs(Text p, const app::ListRequest& r) override { return listed("list_jobs", p, r); }
  Answer job(Text p, Text id) override { return note("job", p, id); }
  Answer cancel_job(Text p, Text id) override { return note("cancel_job", p, id); }
  absl::StatusOr<std::string> job_log(Text p, Text id) override {
    const Answer noted = note("log", p, id);
    return noted.ok() ? absl::StatusOr<std::string>("a line\n") : noted.status();
  }
  absl::StatusOr<app::Download> job_file(Text p, Text id) override {
    return downloaded(note("job_file", p, id));
  }
  flow::EventHub& events() override {
    base::assertion_failed(__FILE__, __LINE__, "events", "http takes its events from OpenEvents");
  }
  Json status() override { return {{"version", "0.1.0"}}; }
  std::string metrics_text() override { return "cromford_jobs{state=\"running\"} 1\n"; }
  absl::Status ready() override { return readiness; }
  std::filesystem::path spool_directory() override { return {}; }
  absl::Status announce(Text /*address*/, Text /*owner_token*/) override {
    return absl::OkStatus();
  }

 private:
  template <typename... Words>
  Answer note(const char* what, const Words&... words) {
    std::string call = what;
    ((call += " ", call += words), ...);
    calls.push_back(call);
    if (failure) {
      return *failure;
    }
    return Json{{"id", "01hv3c9k2m8q4z7x5y6w1t0s9r"}, {"call", call}, {"etag", etag}};
  }
  Answer listed(const char* what, const std::string& words, const app::ListRequest& request) {
    list = request;
    return note(what, words);
  }
  Answer tagged(Answer noted, const app::IfMatch& tag) {
    if_match = tag;
    return noted;
  }
  absl::StatusOr<app::Download> downloaded(const Answer& noted) const {
    return noted.ok() ? absl::StatusOr<app::Download>(download) : noted.status();
  }
};

}  // namespace cromford::http
