// The audit log as clients see it: lists, what held at a time, checkpoints, proofs, the export.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/audit.h"
#include "app/factory.h"
#include "app/resources.h"
#include "base/text.h"
#include "govern/audit_log.h"
#include "govern/base64.h"
#include "govern/times.h"

namespace cromford::app {
namespace {

std::string literal(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
    }
    out += c;
  }
  return out + "\"";
}

absl::Status add_time(std::string_view field, std::string_view comparison, const std::string& text,
                      std::string& filter) {
  if (text.empty()) {
    return absl::OkStatus();
  }
  const absl::StatusOr<base::Time> time = base::parse_time(text);
  if (!time.ok()) {
    return base::annotate(time.status(), field);
  }
  filter += fmt::format(" AND at {} {}", comparison, literal(govern::fixed_width_time(*time)));
  return absl::OkStatus();
}

// The entries of a project, and those of no project, which concern all.
absl::StatusOr<std::string> filter_of(const std::string& project, const AuditRequest& request) {
  std::string filter = fmt::format("in_project = {}", literal(project));
  if (!request.object.empty()) {
    if (request.object.find('/') == std::string::npos && request.object != "server") {
      return base::invalid(fmt::format("'{}' is no object", base::clip_utf8(request.object, 64)),
                           "write KIND/NAME, e.g. endpoint/late, dataset/flights@3, run/ID");
    }
    filter = request.object == "server"
                 ? std::string("object = server")
                 : fmt::format("{} AND object = {}", filter, literal(request.object));
  }
  if (!request.actor.empty()) {
    filter += fmt::format(" AND actor = {}", literal(request.actor));
  }
  TRY(add_time("from", ">=", request.from, filter));
  TRY(add_time("to", "<", request.to, filter));
  TRY(add_time("at", "<=", request.at, filter));
  if (!request.list.filter.empty()) {
    filter += " AND " + request.list.filter;
  }
  return filter;
}

absl::StatusOr<base::Json> entry_resource(const store::Document& document) {
  TRY(base::Json entry, body_of(document));
  entry["index"] = base::to_number<int64_t>(document.key.name).value_or(-1);
  return entry;
}

// The newest entry on `object` at that time which says what is true from then on.
absl::StatusOr<base::Json> state_at(const store::Metadata& metadata, const std::string& filter) {
  TRY(const store::DocumentPage page, metadata.list({.project = "",
                                                     .kind = std::string(govern::kEntryKind),
                                                     .filter = filter,
                                                     .order_by = "name desc",
                                                     .page_size = 100}));
  base::Json state = {{"exists", false}};
  for (const store::Document& document : page.documents) {
    TRY(const base::Json entry, entry_resource(document));
    const std::string action = entry.value("action", std::string());
    if (action.ends_with(".deleted")) {
      return state;
    }
    if (entry.contains("details")) {
      state = entry["details"];
      state["exists"] = true;
      state["since"] = entry["at"];
      for (const char* field : {"action", "actor", "reason", "evidence", "request_id", "index"}) {
        if (entry.contains(field)) {
          state[field] = entry[field];
        }
      }
      return state;
    }
  }
  return state;
}

base::Json hashes_json(const govern::Proof& proof) {
  base::Json hashes = base::Json::array();
  for (const govern::Hash& hash : proof) {
    hashes.push_back(govern::to_base64(hash.view()));
  }
  return hashes;
}

base::Json tree_json(const govern::SignedTree& tree, const govern::Verifier& verifier) {
  return {{"origin", tree.checkpoint.origin},
          {"size", tree.checkpoint.size},
          {"root", govern::to_base64(tree.checkpoint.root.view())},
          {"key", verifier.text()},
          {"checkpoint", tree.note}};
}

}  // namespace

absl::StatusOr<base::Json> Factory::list_audit(const std::string& project,
                                               const AuditRequest& request) {
  if (!request.at.empty() && request.object.empty()) {
    return base::invalid("`at` asks what was true of an object, and none is named",
                         "name one, e.g. object=endpoint/late");
  }
  // What is committed is to be seen; of a damaged log, what it has.
  if (const absl::Status status = context_->audit->sequence(); !absl::IsDataLoss(status)) {
    TRY(status);
  }
  TRY(const std::string filter, filter_of(project, request));
  TRY(const store::DocumentPage page,
      context_->metadata->list(
          {.project = "",
           .kind = std::string(govern::kEntryKind),
           .filter = filter,
           .order_by = request.list.order_by.empty() ? "name desc" : request.list.order_by,
           .page_size = request.list.page_size,
           .page_token = request.list.page_token}));
  base::Json answer = {{"entries", base::Json::array()}};
  for (const store::Document& document : page.documents) {
    TRY(const base::Json entry, entry_resource(document));
    answer["entries"].push_back(select_fields(entry, request.list.fields));
  }
  if (!page.next_page_token.empty()) {
    answer["next_page_token"] = page.next_page_token;
  }
  if (!request.at.empty()) {
    TRY(answer["state"], state_at(*context_->metadata, filter));
  }
  return answer;
}

absl::StatusOr<base::Json> Factory::audit_checkpoint(std::optional<int64_t> from_size) {
  TRY(const govern::SignedTree tree, context_->audit->tree());
  base::Json answer = tree_json(tree, context_->audit->verifier());
  if (from_size.has_value()) {
    TRY(const govern::Proof proof, context_->audit->prove_consistency(
                                       static_cast<uint64_t>(*from_size), tree.checkpoint.size));
    answer["consistency"] = {{"from_size", *from_size}, {"proof", hashes_json(proof)}};
  }
  return answer;
}

absl::StatusOr<base::Json> Factory::audit_entry(const std::string& project, const std::string& id) {
  TRY(const govern::SignedTree tree, context_->audit->tree());
  TRY(const store::DocumentPage page,
      context_->metadata->list(
          {.project = "",
           .kind = std::string(govern::kEntryKind),
           .filter = fmt::format("id = {} AND in_project = {}", literal(id), literal(project)),
           .page_size = 1}));
  if (page.documents.empty()) {
    return base::not_found(
        fmt::format("the audit log has no entry '{}' in project '{}'", id, project),
        "list what there is: cromford audit list");
  }
  const store::Document& document = page.documents.front();
  const uint64_t index = base::to_number<uint64_t>(document.key.name).value_or(0);
  TRY(const govern::Proof proof, context_->audit->prove_inclusion(index, tree.checkpoint.size));
  base::Json answer = tree_json(tree, context_->audit->verifier());
  answer["index"] = index;
  answer["entry"] = document.body;  // The exact bytes of the leaf.
  answer["inclusion"] = hashes_json(proof);
  const absl::StatusOr<store::Document> personal =
      context_->metadata->get({"", std::string(govern::kPersonalKind), id});
  if (personal.ok()) {
    TRY(answer["personal"], body_of(*personal));
  }
  return answer;
}

absl::StatusOr<Download> Factory::export_audit() {
  const std::filesystem::path file = new_temporary_file();
  if (const absl::Status status = context_->audit->write_export(file); !status.ok()) {
    (void)context_->files->remove(file);
    return status;
  }
  return Download{.path = file,
                  .content_type = "text/plain; charset=utf-8",
                  .file_name = "audit.txt",
                  .temporary = true};
}

}  // namespace cromford::app
