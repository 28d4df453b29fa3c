#pragma once

// What the use cases tell the audit log (govern/audit.h): for whom the calling thread acts, and the
// entries of the changes that they commit.
//
//   const ActingFor acting({.actor = "owner", .request_id = request.id});    // a transport
//   const ActingFor acting(acting_for(job));                                 // a kind of job
//   const ActingFor acting({.actor = std::string(govern::kLoop),             // the closed loop
//                           .reason = "the gate passed",
//                           .evidence = base::dump_json({{"gate", hash}})});
//   ...
//   TRY(std::vector<store::Write> writes, audited(context, {change}, event));
//
// Thread safety: functions; an ActingFor belongs to the thread that made it.

#include <string>
#include <string_view>
#include <vector>

#include "app/app.h"
#include "app/context.h"
#include "base/json.h"
#include "flow/job.h"
#include "govern/audit.h"

namespace cromford::app {

// Who acts, and why: what every entry takes over that the thread commits meanwhile. Without it the
// program itself acts ("server").
struct Acting {
  std::string actor = std::string(govern::kServer);
  std::string request_id = {};
  std::string job = {};
  std::string reason = {};
  std::string evidence = "{}";  // JSON object.
  std::string personal = "{}";  // JSON object; see govern::AuditEvent.
};

// For as long as it lives, the thread acts for `acting`. A scope within a scope hides the outer.
class ActingFor {
 public:
  explicit ActingFor(Acting acting);
  ~ActingFor();
  ActingFor(const ActingFor&) = delete;
  ActingFor& operator=(const ActingFor&) = delete;

  static const Acting& now();

 private:
  Acting acting_;
  const Acting* outer_;
};

Acting acting_for(const Caller& caller);
Acting acting_for(const flow::Job& job);

// What happened; who and why come from ActingFor.
struct Happening {
  std::string project;
  std::string action;
  std::string object;
  base::Json details = base::Json::object();
  base::Json evidence = base::Json::object();  // Beside that of ActingFor.
};
// `changes` with the entry that tells of them, to be committed together.
absl::StatusOr<std::vector<store::Write>> audited(const Context& context,
                                                  std::vector<store::Write> changes,
                                                  const Happening& happening);

// The kinds of documents whose change must have an entry beside it (govern::require_entries).
std::vector<std::string> audited_kinds();

// What happened to an endpoint that is to have this body: the action is the last of its history,
// and the details say of every version that serves from now on where it comes from.
Happening endpoint_change(const Context& context, const store::DocumentKey& key,
                          const base::Json& body);
// A version of a dataset or model (`kind`) that is made, with this body.
Happening version_made(const std::string& kind, const std::string& project, const base::Json& body);
// A run of which these fields change: "run.started", "run.succeeded", ...
Happening run_change(const std::string& project, const std::string& run, const base::Json& fields);

}  // namespace cromford::app
