// What people ask of an endpoint's loop: how it stands, a candidate, a yes or a no.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/audit.h"
#include "app/endpoint_plan.h"
#include "app/factory.h"
#include "app/loop_world.h"
#include "app/request_reader.h"
#include "app/resources.h"
#include "base/hash.h"

namespace cromford::app {
namespace {

// A turn of the loop may write at the same moment.
constexpr int kAttemptsMax = 16;

base::Json loop_json(const std::string& endpoint, const lifecycle::State& state) {
  base::Json document = lifecycle::to_json(state);
  document["endpoint"] = endpoint;
  document.erase("noted");
  return document;
}

}  // namespace

absl::StatusOr<base::Json> Factory::lifecycle(const std::string& project, const std::string& name) {
  TRY(find_endpoint(*context_, project, name));
  TRY(const StoredLoop stored, read_loop(*context_, project, name));
  return loop_json(name, stored.state);
}

absl::StatusOr<base::Json> Factory::change_loop(
    const std::string& project, const std::string& name, const std::string& action,
    const std::function<absl::Status(lifecycle::State&)>& change) {
  TRY(find_endpoint(*context_, project, name));
  absl::Status status;
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    TRY(StoredLoop stored, read_loop(*context_, project, name));
    TRY(change(stored.state));
    TRY(const std::vector<store::Write> writes,
        audited(
            *context_,
            {store::Write::put(loop_key(project, name),
                               base::dump_json(lifecycle::to_json(stored.state)), stored.revision)},
            {.project = project,
             .action = action,
             .object = "endpoint/" + name,
             .details = {{"asked", stored.state.asked}, {"candidate", stored.state.candidate}},
             .evidence = {{"gate", stored.state.evidence}}}));
    status = context_->metadata->commit(writes).status();
    if (status.ok()) {
      return loop_json(name, stored.state);
    }
    if (status.code() != absl::StatusCode::kAborted) {
      return status;
    }
  }
  return status;
}

absl::StatusOr<base::Json> Factory::retrain_endpoint(const std::string& project,
                                                     const std::string& name,
                                                     const base::Json& request) {
  RequestReader reader(request, "the request");
  const std::string reason = reader.text_or("reason", "");
  TRY(reader.finish());
  return change_loop(project, name, "loop.asked",
                     [&](lifecycle::State& state) { return lifecycle::ask(state, reason); });
}

absl::StatusOr<base::Json> Factory::decide_candidate(const std::string& project,
                                                     const std::string& name,
                                                     const base::Json& request, bool yes) {
  RequestReader reader(request, yes ? "the approval" : "the rejection");
  const std::string evidence = reader.text("evidence");
  const std::string note = reader.text_or("note", "");
  TRY(reader.finish());
  const char* action = yes ? "loop.approved" : "loop.refused";
  return change_loop(project, name, action, [&](lifecycle::State& state) {
    const base::Time now = context_->clock->now();
    return yes ? lifecycle::approve(state, evidence, note, now)
               : lifecycle::reject(state, evidence, note, now);
  });
}

absl::StatusOr<base::Json> Factory::loop_evidence(const std::string& project,
                                                  const std::string& name,
                                                  const std::string& hash) {
  TRY(find_endpoint(*context_, project, name));
  TRY(const StoredLoop stored, read_loop(*context_, project, name));
  const auto& history = stored.state.history;
  const bool known = std::any_of(history.begin(), history.end(), [&](const auto& entry) {
    return !hash.empty() && entry.evidence == hash;
  });
  if (!known && stored.state.evidence != hash) {
    return base::not_found(fmt::format("the loop of '{}' has no evidence '{}'", name, hash),
                           "its history names them");
  }
  TRY(const base::ContentHash parsed, base::parse_content_hash(hash));
  TRY(const base::MappedFile file, context_->objects->open(parsed));
  return base::parse_json(file.text());
}

absl::Status Factory::set_loop_traffic(const EndpointName& name,
                                       const lifecycle::Traffic& traffic) {
  const std::scoped_lock lock(deploy_mutex_);
  TRY(const store::Document document, find_endpoint(*context_, name.project, name.endpoint));
  const LoopTraffic wanted{.champion = traffic.champion,
                           .candidate = traffic.candidate,
                           .share = traffic.share,
                           .at = base::format_time(context_->clock->now())};
  return change_endpoint(name.project, document,
                         [&](const base::Json& before) { return plan_loop(before, wanted); });
}

}  // namespace cromford::app
