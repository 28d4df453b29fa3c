#include "app/rounds.h"

#include <nlohmann/json.hpp>
#include <set>

#include "base/log.h"

namespace cromford::app {

Rounds::Rounds(const Context& context, const serve::Registry& registry)
    : context_(context), registry_(registry) {}

Rounds::~Rounds() {
  stop();
}

void Rounds::add(std::unique_ptr<RoundStage> stage) {
  stages_.push_back(std::move(stage));
}

void Rounds::start(std::chrono::seconds interval) {
  if (interval.count() > 0) {
    thread_ = std::thread([this, interval] { loop(interval); });
  }
}

bool Rounds::stopping() {
  const std::scoped_lock lock(mutex_);
  return stopping_;
}

void Rounds::stop() {
  {
    const std::scoped_lock lock(mutex_);
    if (stopping_) {
      return;
    }
    stopping_ = true;
  }
  stopped_.notify_all();
  if (thread_.joinable()) {
    thread_.join();
  }
  for (const std::unique_ptr<RoundStage>& stage : stages_) {
    if (const absl::Status status = stage->close(); !status.ok()) {
      base::log_error("a stage of the rounds could not be closed",
                      {{"stage", stage->name()}, {"error", base::describe(status)}});
    }
  }
}

void Rounds::loop(std::chrono::seconds interval) {
  std::unique_lock lock(mutex_);
  while (!stopped_.wait_for(lock, interval, [this] { return stopping_; })) {
    lock.unlock();
    check_all();
    lock.lock();
  }
}

void Rounds::check_all() {
  std::set<EndpointName> names;
  for (const auto& endpoint : registry_.list()) {
    names.insert({endpoint->project(), endpoint->name()});
  }
  for (const std::unique_ptr<RoundStage>& stage : stages_) {
    for (EndpointName& name : stage->unfinished()) {
      names.insert(std::move(name));
    }
  }
  for (const EndpointName& name : names) {
    if (!check(name).ok()) {
      return;  // It is stopping.
    }
  }
}

std::shared_ptr<std::mutex> Rounds::turn_of(const EndpointName& name) {
  const std::scoped_lock lock(mutex_);
  std::shared_ptr<std::mutex>& turn = turns_[name];
  if (turn == nullptr) {
    turn = std::make_shared<std::mutex>();
  }
  return turn;
}

absl::StatusOr<base::Json> Rounds::check(const EndpointName& name) {
  const std::shared_ptr<std::mutex> turn = turn_of(name);
  const std::scoped_lock lock(*turn);
  if (stopping()) {
    return base::unavailable("the factory is closing", "ask again when it is up");
  }
  RoundContext round{.name = name,
                     .served = registry_.get(name.project, name.endpoint),
                     .at = context_.clock->now()};
  base::Json stages = run_stages(round);
  return base::Json{{"endpoint", name.endpoint},
                    {"at", base::format_time(round.at)},
                    {"watermark", round.watermark ? base::Json(base::format_time(*round.watermark))
                                                  : base::Json()},
                    {"stages", std::move(stages)}};
}

base::Json Rounds::run_stages(RoundContext& round) {
  base::Json results = base::Json::array();
  for (const std::unique_ptr<RoundStage>& stage : stages_) {
    round.found = base::Json::object();
    const absl::Status status = stage->run(round);
    note(round, stage->name(), status);
    base::Json result = {
        {"name", stage->name()}, {"ok", status.ok()}, {"found", std::move(round.found)}};
    if (!status.ok()) {
      result["error"] = base::describe(status);
    }
    results.push_back(std::move(result));
  }
  return results;
}

void Rounds::note(const RoundContext& round, std::string_view stage, const absl::Status& status) {
  const std::scoped_lock lock(mutex_);
  const std::pair key(round.name, std::string(stage));
  if (status.ok()) {
    failures_.erase(key);
    return;
  }
  std::string reason = base::describe(status);
  if (std::string& known = failures_[key]; known != reason) {
    known = std::move(reason);
    base::log_error("a stage of an endpoint's round failed", {{"project", round.name.project},
                                                              {"endpoint", round.name.endpoint},
                                                              {"stage", stage},
                                                              {"error", known}});
  }
}

}  // namespace cromford::app
