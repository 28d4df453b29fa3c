#pragma once

// Where the loop of one endpoint stands: one document, written before and after each step, so that
// a process that is killed anywhere goes on from it.
//
//   State state = state_from(document).value();
//   state.stage == Stage::kCanary;
//   to_json(state);
//
// Thread safety: values.

#include <absl/status/statusor.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/json.h"

namespace cromford::lifecycle {

// In the order in which a candidate passes through them.
enum class Stage : uint8_t {
  kIdle,
  kCollecting,   // A job gathers the mature rows.
  kChoosing,     // A job tries how far back training should reach.
  kTraining,     // A job trains the candidate.
  kJudging,      // A job compares it with the champion on rows that neither learnt from.
  kApproval,     // A person is waited for.
  kShadow,       // It scores the traffic and answers nothing.
  kCanary,       // It answers a share of the traffic that grows in steps.
  kPromoting,    // Decided; the traffic is being handed over.
  kRollingBack,  // Decided; the traffic is being given back to the champion.
};
// "idle", "collecting", ... "rolling_back".
std::string_view stage_name(Stage stage);
// Whether a job does the stage's work.
bool is_work(Stage stage);

// One entry of the history: what became what, and why.
struct Transition {
  base::Time at{};                         // The time of day.
  std::optional<base::Time> event_time{};  // The endpoint's own clock.
  std::string from;
  // A stage, or how a run ended: "promoted", "rejected", "rolled_back", "failed", "abandoned".
  std::string to;
  std::string reason;
  std::string model;     // The candidate, once there is one: "late@4".
  std::string evidence;  // The hash of the object that holds it, where there is any.

  bool operator==(const Transition&) const = default;
};

struct State {
  Stage stage = Stage::kIdle;
  std::string run;      // The attempt under way.
  std::string job;      // Of a stage of work; chosen before it is started.
  std::string trigger;  // "hand", "quality", "schedule", "new_data", "drift"
  bool needs_approval = false;
  std::string champion;          // "late@3": what the candidate must be better than.
  std::string candidate;         // "late@4"
  base::Json dataset = nullptr;  // What each stage of work gave to the next ones.
  base::Json plan = nullptr;
  std::string evidence;
  base::Json approval = nullptr;  // {"evidence", "note", "at"}
  size_t step = 0;                // Of the canary.
  bool applied = false;  // Whether the traffic is as the stage wants it; else it is to be set.
  std::string verdict;   // Of kRollingBack: why.
  base::Time since{};    // Begin of the stage, by the time of day.
  std::optional<base::Time> since_event{};
  std::optional<base::Time> watermark{};    // Never goes back.
  std::optional<base::Time> begun_event{};  // The first moment this endpoint's clock showed.
  std::vector<base::Time> runs;             // Event times at which runs began; the newest last.
  std::string asked;                        // Why a person asks for a run; "" where none does.
  base::Json quality = nullptr;             // What the champion was worth when it was promoted.
  std::vector<Transition> history;          // The newest last; the oldest go.
  uint64_t noted = 0;                       // Entries that the history ever had.
};

base::Json to_json(const State& state);
// DATA_LOSS where it is none.
absl::StatusOr<State> state_from(const base::Json& document);

}  // namespace cromford::lifecycle
