// What a transport notes on requests with an Idempotency-Key, as documents of no project.

#include <nlohmann/json.hpp>

#include "app/factory.h"
#include "base/hash.h"
#include "base/log.h"

namespace cromford::app {
namespace {

constexpr std::chrono::hours kAge{24};
constexpr size_t kNotesMax = 10'000;
// How many notes are put between two looks for old ones.
constexpr uint64_t kPruneInterval = 256;

// A key may be any bytes; a document's name may not.
store::DocumentKey key_of(const std::string& key) {
  return {"", "request_note", base::content_hash(key).text()};
}

// Drops what is older than `before`, and the oldest beyond kNotesMax.
absl::Status prune(store::Metadata& metadata, base::Time before) {
  size_t kept = 0;
  std::string token;
  do {
    TRY(const store::DocumentPage page, metadata.list({.project = "",
                                                       .kind = "request_note",
                                                       .order_by = "created_at desc",
                                                       .page_size = 1000,
                                                       .page_token = token}));
    std::vector<store::Write> writes;
    for (const store::Document& note : page.documents) {
      if (kept < kNotesMax && note.created_at >= before) {
        ++kept;
      } else {
        writes.push_back(store::Write::remove(note.key));
      }
    }
    if (!writes.empty()) {
      TRY(metadata.commit(writes));
    }
    token = page.next_page_token;
  } while (!token.empty());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::optional<std::string>> Factory::find_note(const std::string& key) {
  const absl::StatusOr<store::Document> note = context_->metadata->get(key_of(key));
  if (absl::IsNotFound(note.status())) {
    return std::optional<std::string>();
  }
  TRY(note);
  if (note->created_at < context_->clock->now() - kAge) {
    return std::optional<std::string>();
  }
  TRY(const base::Json body, base::parse_json(note->body));
  return body.value("text", std::string());
}

absl::Status Factory::put_note(const std::string& key, const std::string& text) {
  const base::Time before = context_->clock->now() - kAge;
  // An old note counts from its first put; its time must not be taken over.
  const absl::StatusOr<store::Document> earlier = context_->metadata->get(key_of(key));
  if (earlier.ok() && earlier->created_at < before) {
    TRY(remove_note(key));
  }
  TRY(context_->metadata->commit(
      {store::Write::put(key_of(key), base::dump_json({{"text", text}}))}));
  if (note_count_++ % kPruneInterval == 0) {
    if (const absl::Status status = prune(*context_->metadata, before); !status.ok()) {
      base::log_warning("old notes on requests could not be removed",
                        {{"error", base::describe(status)}});
    }
  }
  return absl::OkStatus();
}

absl::Status Factory::remove_note(const std::string& key) {
  return context_->metadata->commit({store::Write::remove(key_of(key))}).status();
}

}  // namespace cromford::app
