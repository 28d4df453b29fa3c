#pragma once

// The state machine of the loop: from a reason to retrain, over training, gate, approval, shadow
// and canary, to promotion, rejection or rollback. One call moves as far as it can without waiting.
//
//   Machine machine(rules, world);
//   TRY(machine.run(state));               // every round
//   ask(state, "new fares since Monday");  // by hand
//   TRY(approve(state, evidence, note));   // a person's yes
//
// How it survives being killed: a decision is saved first and carried out afterwards, and what is
// carried out can be done twice: jobs have ids that were saved before they are started, the traffic
// is set to what the stage wants. So at any moment the endpoint has exactly one champion, and a
// restart goes on.
//
// Whatever fails is a rejection: a job that was killed, ran out of memory or time, or evidence that
// never came. Where somebody changes the traffic by hand, the loop gives the run up and leaves the
// traffic as that person wants it.
//
// Durations and cool-down count in event time, which never goes back; only the time limit of a job
// is of the time of day.
//
// Thread safety: an object and a state belong to one thread at a time.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "lifecycle/guards.h"
#include "lifecycle/state.h"

namespace cromford::lifecycle {

struct Rules {
  std::string strategy = "canary";  // "direct", "shadow" (then direct), "canary"
  std::vector<int64_t> steps = {5, 25, 50, 100};
  std::chrono::nanoseconds step = std::chrono::hours(24);
  std::optional<std::chrono::nanoseconds> shadow = std::nullopt;
  bool approval_required = false;
  std::optional<std::chrono::nanoseconds> every = std::nullopt;
  std::chrono::nanoseconds cooldown = std::chrono::hours(72);
  int64_t runs_max = 20;
  std::chrono::nanoseconds runs_period = std::chrono::hours(24 * 30);
  std::chrono::nanoseconds work_limit = std::chrono::hours(6);  // Of one job, by the time of day.
  Guards guards = {};
};

// What an endpoint serves, as far as the loop goes. No candidate: the champion answers all.
struct Traffic {
  std::string champion;
  std::string candidate = {};
  int64_t share = 0;  // Of the candidate, in percent; 0: it is a shadow.

  bool operator==(const Traffic&) const = default;
};

// A job, as far as it has come.
struct Work {
  enum class State : uint8_t { kRunning, kDone, kFailed };
  State state = State::kRunning;
  base::Json result = nullptr;  // Of a job that is done.
  std::string reason = {};      // Of one that failed: what the user sees.
};

struct Trigger {
  std::string name;  // "quality", "new_data", "drift"
  std::string reason;
};

// What the machine works on. An error of any member ends the turn; the next one tries again.
class World {
 public:
  virtual ~World() = default;
  virtual base::Time now() = 0;
  virtual std::string new_id() = 0;
  // Returns once it would survive a crash.
  virtual absl::Status save(const State& state) = 0;

  // NOT_FOUND where the endpoint is gone.
  virtual absl::StatusOr<Traffic> traffic() = 0;
  virtual absl::Status set_traffic(const Traffic& traffic, const std::string& reason) = 0;

  // Starts the job `state.job` of the stage, unless it was started before. FAILED_PRECONDITION and
  // INVALID_ARGUMENT: it never can be.
  virtual absl::Status start(const State& state) = 0;
  // NOT_FOUND where it was never started. What the jobs give: collecting -> the dataset; choosing
  // -> the plan; training {"model": "late@4"}; judging {"passed", "evidence", "reason",
  // "quality"}.
  virtual absl::StatusOr<Work> work(const std::string& job) = 0;
  virtual void stop(const std::string& job) = 0;

  // Whether something measured asks for a candidate.
  virtual absl::StatusOr<std::optional<Trigger>> trigger(const State& state) = 0;
  virtual absl::StatusOr<Observation> observe(const State& state) = 0;

 protected:
  World() = default;
  World(const World&) = default;
  World& operator=(const World&) = default;
};

class Machine {
 public:
  // Both must outlive it.
  Machine(const Rules& rules, World& world) : rules_(rules), world_(world) {}

  // Goes on until there is something to wait for. `watermark`: the endpoint's clock.
  absl::Status run(State& state, std::optional<base::Time> watermark);

 private:
  // One step; whether there may be another.
  absl::StatusOr<bool> advance(State& state);
  absl::StatusOr<bool> look_for_reason(State& state);
  absl::StatusOr<bool> begin(State& state, const Trigger& trigger);
  absl::StatusOr<bool> go_on_with_work(State& state);
  absl::StatusOr<bool> take_result(State& state, const base::Json& result);
  absl::StatusOr<bool> wait_for_person(State& state);
  absl::StatusOr<bool> roll_out(State& state);
  absl::StatusOr<bool> hand_over(State& state);
  absl::StatusOr<bool> give_back(State& state);
  // Whether somebody else changed the traffic; then the run is given up.
  absl::StatusOr<bool> taken_over(State& state, const Traffic& now);

  absl::StatusOr<bool> enter(State& state, Stage stage, const std::string& reason);
  absl::StatusOr<bool> enter_rollout(State& state, const std::string& reason);
  absl::StatusOr<bool> finish(State& state, const std::string& outcome, const std::string& reason);
  Traffic wanted(const State& state) const;
  std::string resting(const State& state) const;

  const Rules& rules_;
  World& world_;
};

// Notes that a person wants a candidate. FAILED_PRECONDITION while a run is under way.
absl::Status ask(State& state, const std::string& reason);
// FAILED_PRECONDITION where nobody is waited for; ALREADY_EXISTS where the evidence is another one.
absl::Status approve(State& state, const std::string& evidence, const std::string& note,
                     base::Time at);
// The same for a no; the next turn ends the run.
absl::Status reject(State& state, const std::string& evidence, const std::string& note,
                    base::Time at);

}  // namespace cromford::lifecycle
