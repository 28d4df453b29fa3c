#pragma once

// The second half of the demo: months of flights as live traffic, in the order in which they left,
// day after day as fast as the machine goes. What happened is told once they have landed; after
// each day the endpoint looks at itself, and what it decides is told as it happens.
//
//   LiveMonths live(session, "flights-late");
//   TRY(const std::vector<double> probabilities, live.send(march));
//   TRY(live.send(april)); ...
//   for (const base::Json& decision : live.decisions()) { ... }
//
// Thread safety: none.

#include <absl/status/statusor.h>

#include <cstddef>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli/demo_traffic.h"
#include "cli/session.h"

namespace cromford::cli {

class LiveMonths {
 public:
  // `endpoint`: its name.
  LiveMonths(Session& session, const std::string& endpoint);

  // Sends flights, which left in this order and after all that were sent before; gives the
  // probability that each was answered with. Waits for what the endpoint does about a day before
  // the next one begins: a training takes none of the flights' time.
  absl::StatusOr<std::vector<double>> send(std::span<const FlightRow> flights);
  // Tells what happened to flights that were sent by others, and looks once.
  absl::Status land(std::span<const FlightRow> flights);

  // What the loop decided and which alerts there were so far, oldest first: entries of the
  // endpoint's lifecycle history, and alerts.
  const std::vector<base::Json>& decisions() const { return decisions_; }
  const std::vector<base::Json>& alerts() const { return alerts_; }

 private:
  // Tells the outcomes of all flights that have landed by then.
  absl::Status tell_landed(base::Time until);
  // A round of the endpoint, and more while jobs of its loop end.
  absl::Status look();
  absl::Status tell_news();
  absl::Status tell_alerts();

  Session& session_;
  const std::string endpoint_;  // The path within the project.
  std::vector<FlightRow> in_the_air_;
  std::vector<base::Json> decisions_;
  std::vector<base::Json> alerts_;
  std::set<std::string> told_alerts_;
};

// The first moment of the next day.
base::Time day_after(base::Time time);

}  // namespace cromford::cli
