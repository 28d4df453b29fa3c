#pragma once

// The audit log as those see it who change the state of the factory: every change is committed
// together with an entry that tells who or what did it, when, why and on which evidence. So there
// is no change without its entry and no entry without its change, wherever the process is killed.
// What becomes of the entries (an append-only Merkle log with signed checkpoints) is told in
// audit_log.h.
//
//   TRY(std::vector<store::Write> writes,
//       auditor.with_entry({store::Write::put(key, body, revision)},
//                          {.project = "default",
//                           .action = "endpoint.deployed",
//                           .object = "endpoint/late",
//                           .actor = "owner",
//                           .request_id = caller.request_id,
//                           .reason = "gate passed",
//                           .evidence = base::dump_json({{"package", package_hash}})}));
//   TRY(metadata.commit(writes));
//
// Thread safety: an Auditor may be shared by threads.

#include <absl/status/statusor.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/id.h"
#include "base/random.h"
#include "store/metadata.h"

namespace cromford::govern {

// Who acts, in one word; a person's name belongs into `personal`.
inline constexpr std::string_view kOwner = "owner";    // Proved to be the owner of the home.
inline constexpr std::string_view kUser = "user";      // Any other caller of the API.
inline constexpr std::string_view kLoop = "loop";      // The closed loop, by an endpoint's policy.
inline constexpr std::string_view kServer = "server";  // The program itself: start, clean-up.

// What an entry tells. Nothing in it but `personal` can ever be taken back, so no other field may
// hold personal data. Empty fields are left out of the entry.
struct AuditEvent {
  std::string project;  // Empty for what belongs to no project.
  std::string action;   // What was done to what: "endpoint.deployed", "dataset_version.made".
  std::string object;   // KIND/NAME: "endpoint/late", "dataset/flights@3", "run/01hv...".
  std::string actor;    // One of the words above.
  std::string request_id = {};  // Of the request that asked for it.
  std::string job = {};         // Of the job that did it.
  std::string reason = {};
  std::string evidence = "{}";  // JSON object: what the decision rests on, by hash.
  std::string details = "{}";   // JSON object: what is true from now on.
  // JSON object, kept outside the log behind a salted commitment, so that it can be erased.
  std::string personal = "{}";
};

// An entry is one leaf of the log; C2SP tlog-tiles gives its length 16 bits.
inline constexpr size_t kEntryBytesMax = 65'535;

// The kinds of documents that the log is made of.
inline constexpr std::string_view kPendingKind = "audit_pending";    // Committed, not yet in order.
inline constexpr std::string_view kPersonalKind = "audit_personal";  // Salt and text.

class Auditor {
 public:
  // All must outlive it.
  Auditor(base::Clock& clock, base::IdSource& ids, base::Entropy& entropy)
      : clock_(clock), ids_(ids), entropy_(entropy) {}

  // `changes` followed by the entry that tells of them, which also names the changed documents with
  // the hashes of their new bodies. To be committed at once and together. INVALID_ARGUMENT where a
  // field that must be JSON is none; RESOURCE_EXHAUSTED where the entry is longer than
  // kEntryBytesMax.
  absl::StatusOr<std::vector<store::Write>> with_entry(std::vector<store::Write> changes,
                                                       const AuditEvent& event) const;

 private:
  base::Clock& clock_;
  base::IdSource& ids_;
  base::Entropy& entropy_;
};

// Metadata that refuses, with INTERNAL, a commit that changes a document of one of these kinds
// without an entry beside it: a change of state that forgot its entry is a bug, which no test of
// the change itself would notice.
std::unique_ptr<store::Metadata> require_entries(std::unique_ptr<store::Metadata> inner,
                                                 std::vector<std::string> kinds);

}  // namespace cromford::govern
