#pragma once

// The work behind each row of the table of commands. One file per noun; each handler reads its
// words and flags, talks to the API, and prints.
//
//   absl::Status dataset_list(const Invocation& call, Session& session);
//
// Thread safety: one command at a time.

#include <absl/status/status.h>

#include "cli/grammar.h"
#include "cli/session.h"

namespace cromford::cli {

absl::Status show_status(const Invocation& call, Session& session);

absl::Status dataset_add(const Invocation& call, Session& session);
absl::Status dataset_list(const Invocation& call, Session& session);
absl::Status dataset_show(const Invocation& call, Session& session);
absl::Status dataset_rows(const Invocation& call, Session& session);
absl::Status dataset_diff(const Invocation& call, Session& session);
absl::Status dataset_export(const Invocation& call, Session& session);
absl::Status dataset_delete(const Invocation& call, Session& session);

absl::Status train(const Invocation& call, Session& session);
absl::Status run_list(const Invocation& call, Session& session);
absl::Status run_show(const Invocation& call, Session& session);
absl::Status run_cancel(const Invocation& call, Session& session);

absl::Status model_list(const Invocation& call, Session& session);
absl::Status model_show(const Invocation& call, Session& session);
absl::Status model_card(const Invocation& call, Session& session);
absl::Status model_evaluate(const Invocation& call, Session& session);
absl::Status model_export(const Invocation& call, Session& session);
absl::Status model_import(const Invocation& call, Session& session);
absl::Status model_delete(const Invocation& call, Session& session);

absl::Status predict(const Invocation& call, Session& session);

absl::Status deploy(const Invocation& call, Session& session);
absl::Status endpoint_list(const Invocation& call, Session& session);
absl::Status endpoint_show(const Invocation& call, Session& session);
absl::Status endpoint_split(const Invocation& call, Session& session);
absl::Status endpoint_promote(const Invocation& call, Session& session);
absl::Status endpoint_log(const Invocation& call, Session& session);
absl::Status outcome_add(const Invocation& call, Session& session);
absl::Status endpoint_compact(const Invocation& call, Session& session);
absl::Status endpoint_retrain(const Invocation& call, Session& session);
absl::Status endpoint_approve(const Invocation& call, Session& session);
absl::Status endpoint_reject(const Invocation& call, Session& session);
absl::Status endpoint_history(const Invocation& call, Session& session);
absl::Status endpoint_policy(const Invocation& call, Session& session);
absl::Status endpoint_rollback(const Invocation& call, Session& session);
absl::Status endpoint_delete(const Invocation& call, Session& session);

absl::Status monitor_show(const Invocation& call, Session& session);
absl::Status alert_list(const Invocation& call, Session& session);
absl::Status alert_ack(const Invocation& call, Session& session);

absl::Status pipeline_apply(const Invocation& call, Session& session);
absl::Status pipeline_list(const Invocation& call, Session& session);
absl::Status pipeline_show(const Invocation& call, Session& session);
absl::Status pipeline_run(const Invocation& call, Session& session);
absl::Status pipeline_history(const Invocation& call, Session& session);
absl::Status pipeline_delete(const Invocation& call, Session& session);

absl::Status job_list(const Invocation& call, Session& session);
absl::Status job_show(const Invocation& call, Session& session);
absl::Status job_cancel(const Invocation& call, Session& session);
absl::Status job_log(const Invocation& call, Session& session);

absl::Status audit_list(const Invocation& call, Session& session);
absl::Status audit_checkpoint(const Invocation& call, Session& session);
absl::Status audit_export(const Invocation& call, Session& session);
absl::Status audit_verify(const Invocation& call, Session& session);
absl::Status lineage(const Invocation& call, Session& session);

absl::Status demo(const Invocation& call, Session& session);

}  // namespace cromford::cli
