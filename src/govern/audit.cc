#include "govern/audit.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/json.h"
#include "base/status.h"
#include "govern/commitment.h"
#include "govern/times.h"

namespace cromford::govern {
namespace {

// A deletion may take thousands of versions with it; an entry names so many documents and gives
// one hash over the others.
constexpr size_t kNamedDocumentsMax = 32;

absl::StatusOr<base::Json> object_of(std::string_view field, const std::string& text) {
  absl::StatusOr<base::Json> json = base::parse_json(text);
  if (!json.ok() || !json->is_object()) {
    return base::invalid(fmt::format("the {} of an audit entry is not a JSON object", field));
  }
  return json;
}

std::string document_name(const store::DocumentKey& key) {
  return fmt::format("{}/{}", key.kind, key.name);
}

// {"endpoint/late": hash of the new body, or null where it is gone}.
base::Json written_documents(const std::vector<store::Write>& changes) {
  base::Json written = base::Json::object();
  base::ContentHasher others;
  size_t other_count = 0;
  for (const store::Write& change : changes) {
    const bool gone = change.kind == store::Write::Kind::kDelete;
    const std::string hash = gone ? std::string() : base::content_hash(change.body).text();
    if (written.size() < kNamedDocumentsMax) {
      written[document_name(change.key)] = gone ? base::Json() : base::Json(hash);
    } else {
      others.update(fmt::format("{} {}\n", document_name(change.key), hash));
      ++other_count;
    }
  }
  if (other_count > 0) {
    written[fmt::format("and {} others", other_count)] = others.finish().text();
  }
  return written;
}

void set_text(base::Json& entry, const char* key, const std::string& text) {
  if (!text.empty()) {
    entry[key] = text;
  }
}

class AuditedMetadata final : public store::Metadata {
 public:
  using store::Metadata::commit;
  AuditedMetadata(std::unique_ptr<store::Metadata> inner, std::vector<std::string> kinds)
      : inner_(std::move(inner)), kinds_(std::move(kinds)) {}

  absl::StatusOr<store::Document> get(const store::DocumentKey& key) const override {
    return inner_->get(key);
  }

  absl::StatusOr<int64_t> commit(std::span<const store::Write> writes) override {
    const store::Write* change = nullptr;
    bool told = false;
    for (const store::Write& write : writes) {
      told = told || write.key.kind == kPendingKind;
      if (std::find(kinds_.begin(), kinds_.end(), write.key.kind) != kinds_.end()) {
        change = &write;
      }
    }
    if (change != nullptr && !told) {
      return base::internal(fmt::format("a change of the {} has no audit entry beside it",
                                        store::describe(change->key)));
    }
    return inner_->commit(writes);
  }

  absl::StatusOr<store::DocumentPage> list(const store::ListQuery& query) const override {
    return inner_->list(query);
  }

  absl::Status visit_all(
      const std::function<absl::Status(const store::Document&)>& visit) const override {
    return inner_->visit_all(visit);
  }

 private:
  const std::unique_ptr<store::Metadata> inner_;
  const std::vector<std::string> kinds_;
};

}  // namespace

absl::StatusOr<std::vector<store::Write>> Auditor::with_entry(std::vector<store::Write> changes,
                                                              const AuditEvent& event) const {
  const std::string id = ids_.next();
  base::Json entry = {{"v", 1},
                      {"id", id},
                      {"at", fixed_width_time(clock_.now())},
                      {"actor", event.actor},
                      {"action", event.action},
                      {"object", event.object}};
  set_text(entry, "in_project", event.project);
  set_text(entry, "request_id", event.request_id);
  set_text(entry, "job", event.job);
  set_text(entry, "reason", event.reason);
  TRY(base::Json evidence, object_of("evidence", event.evidence));
  if (!evidence.empty()) {
    entry["evidence"] = std::move(evidence);
  }
  TRY(base::Json details, object_of("details", event.details));
  if (!details.empty()) {
    entry["details"] = std::move(details);
  }
  if (!changes.empty()) {
    entry["documents"] = written_documents(changes);
  }
  TRY(const base::Json personal, object_of("personal part", event.personal));
  if (!personal.empty()) {
    const std::string text = base::dump_json(personal);
    const Commitment commitment = commit_to(text, entropy_);
    entry["personal"] = commitment.digest;
    changes.push_back(store::Write::put(
        {"", std::string(kPersonalKind), id},
        base::dump_json({{"salt", commitment.salt}, {"text", text}}), store::kMustNotExist));
  }
  std::string text = base::dump_json(entry);
  if (text.size() > kEntryBytesMax) {
    return base::exhausted(fmt::format("the audit entry for {} of {} has {} bytes; {} are allowed",
                                       event.action, event.object, text.size(), kEntryBytesMax));
  }
  changes.push_back(store::Write::put({"", std::string(kPendingKind), id}, std::move(text),
                                      store::kMustNotExist));
  return changes;
}

std::unique_ptr<store::Metadata> require_entries(std::unique_ptr<store::Metadata> inner,
                                                 std::vector<std::string> kinds) {
  return std::make_unique<AuditedMetadata>(std::move(inner), std::move(kinds));
}

}  // namespace cromford::govern
