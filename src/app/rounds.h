#pragma once

// The round of an endpoint: what the factory does for each endpoint every minute, in stages, one
// after the other, on a thread of its own; and at once where somebody asks for it.
//
//   Rounds rounds(context, registry);
//   rounds.add(std::make_unique<CountersStage>(context));
//   rounds.start(std::chrono::seconds(60));
//   TRY(const base::Json found, rounds.check("default", "late"));   // POST :check
//   rounds.stop();
//
// A stage that fails is named in the round's result and in the log, and the next ones run all the
// same. Rounds of one endpoint never overlap; those of different endpoints may. The clock of an
// endpoint is the event time of its predictions, so a month that is sent within a minute is watched
// as a month.
//
// Thread safety: add() and start() before anything else; then every member from any thread.

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "app/context.h"
#include "base/json.h"
#include "base/status.h"
#include "monitor/alerts.h"
#include "serve/registry.h"

namespace cromford::app {

struct EndpointName {
  std::string project;
  std::string endpoint;
  auto operator<=>(const EndpointName&) const = default;
};

// What the stages of one round share.
struct RoundContext {
  EndpointName name;
  std::shared_ptr<const serve::Endpoint> served;  // Null where nothing serves (any more).
  base::Time at{};                                // The time of day.
  // The clock of the endpoint: its predictions have event times up to here, and beyond it only what
  // comes next. Nothing before the first prediction. The first stage sets it.
  std::optional<base::Time> watermark = std::nullopt;
  // What stages before that of the alerts saw of windows that closed (monitor/alerts.h). Of the
  // same window again they do no harm.
  std::vector<monitor::AlertSign> signs = {};
  // What the stage at work found, for the round's result: an object.
  base::Json found = base::Json::object();
};

class RoundStage {
 public:
  virtual ~RoundStage() = default;

  // "counters", "quality", "alerts", "lifecycle".
  virtual std::string_view name() const = 0;
  // Never twice at once for one endpoint.
  virtual absl::Status run(RoundContext& round) = 0;
  // Endpoints that have something left to do although they are served no more.
  virtual std::vector<EndpointName> unfinished() const { return {}; }
  // After the last round, when no request is answered any more.
  virtual absl::Status close() { return absl::OkStatus(); }

 protected:
  RoundStage() = default;
  RoundStage(const RoundStage&) = default;
  RoundStage& operator=(const RoundStage&) = default;
};

class Rounds {
 public:
  // Both must outlive it.
  Rounds(const Context& context, const serve::Registry& registry);
  ~Rounds();
  Rounds(const Rounds&) = delete;
  Rounds& operator=(const Rounds&) = delete;

  // Stages run in the order in which they were added.
  void add(std::unique_ptr<RoundStage> stage);
  // Rounds over all endpoints, `interval` from the end of one to the begin of the next; 0: only
  // those that are asked for.
  void start(std::chrono::seconds interval);
  // Ends the thread and closes the stages, once.
  void stop();

  // A round of one endpoint, after the one under way: {"endpoint", "at", "watermark", "stages":
  // [{"name", "ok", "found", "error"}]}. UNAVAILABLE after stop().
  absl::StatusOr<base::Json> check(const EndpointName& name);
  // A round of every endpoint.
  void check_all();

 private:
  base::Json run_stages(RoundContext& round);
  void note(const RoundContext& round, std::string_view stage, const absl::Status& status);
  std::shared_ptr<std::mutex> turn_of(const EndpointName& name);
  void loop(std::chrono::seconds interval);
  bool stopping();

  const Context& context_;
  const serve::Registry& registry_;
  std::vector<std::unique_ptr<RoundStage>> stages_;
  std::mutex mutex_;
  std::condition_variable stopped_;
  bool stopping_ = false;
  std::map<EndpointName, std::shared_ptr<std::mutex>> turns_;
  // What is wrong with a stage of an endpoint, so that it is logged once and not every minute.
  std::map<std::pair<EndpointName, std::string>, std::string> failures_;
  std::thread thread_;
};

}  // namespace cromford::app
