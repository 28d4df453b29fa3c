// `cromford outcome add`: what really happened, from a file.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/name.h"
#include "base/status.h"
#include "cli/handlers.h"
#include "cli/job_watch.h"
#include "cli/json_fields.h"
#include "cli/names.h"
#include "cli/transfer.h"

namespace cromford::cli {

absl::Status outcome_add(const Invocation& call, Session& session) {
  const std::string endpoint = call.positional(0);
  TRY(base::check_name("endpoint", endpoint));
  TRY(Upload upload, open_upload(session, call.positional(1)));
  const absl::StatusOr<base::Json> started =
      send_upload(session, upload,
                  {.path = fmt::format("/endpoints/{}/outcomes", endpoint),
                   .query = {{"format", call.text("--format")}, {"source_name", upload.name}}},
                  "sending");
  if (!started.ok()) {
    return with_nearest_name(started.status(), session, "endpoints", endpoint);
  }
  Output& output = session.output();
  TRY(const base::Json job, wait_for_job(session, *started, {.what = "outcomes"}));
  const base::Json& result = field(job, "result");
  const auto count = [&result](std::string_view name) {
    return count_cell(integer_field(result, name).value_or(0));
  };
  output.document(job);
  Facts facts;
  facts.add("accepted", count("accepted"));
  facts.add("joined", count("joined"));
  facts.add("waiting", count("waiting"));
  facts.add("duplicates", count("duplicates"));
  facts.add("corrections", count("corrections"));
  facts.add("rejected", count("rejected_count"));
  output.facts(facts);
  for (const base::Json& one : array_field(result, "rejected")) {
    output.warning(fmt::format("row {}, id {}: {}", text_field(one, "row"), text_field(one, "id"),
                               text_field(one, "detail")));
  }
  return absl::OkStatus();
}

}  // namespace cromford::cli
