#pragma once

// From stored documents to the resources that clients see: the fields that every resource has
// (created_at, updated_at, etag), lists with their page tokens, and the preconditions of updates.
//
//   TRY(store::Document document, metadata.get(key));
//   TRY(base::Json resource, resource_of(document));
//   TRY(check_etag(document, if_match, EtagRule::kRequired));
//
// What a document keeps for the program alone stands under its key "internal", which no client
// sees.
//
// Thread safety: free functions.

#include <optional>
#include <string>
#include <string_view>

#include "app/app.h"
#include "base/json.h"
#include "base/status.h"
#include "store/metadata.h"

namespace cromford::app {

absl::StatusOr<base::Json> resource_of(const store::Document& document);
// The body of a document as it is stored, with "internal".
absl::StatusOr<base::Json> body_of(const store::Document& document);

std::string etag_of(const store::Document& document);
// ABORTED: somebody else was faster; may do well when tried again.
absl::Status changed_meanwhile(std::string_view detail, std::string_view remedy);

enum class EtagRule { kOptional, kRequired };

// ABORTED when the document has another etag (HTTP 412), FAILED_PRECONDITION when none was sent but
// one is needed (HTTP 428); both carry the current etag in their remedy.
absl::Status check_etag(const store::Document& document, const IfMatch& if_match, EtagRule rule);
// Whether `status` is the one or the other, so that a transport can answer 412 and 428.
bool is_stale_etag(const absl::Status& status);
bool is_missing_etag(const absl::Status& status);

struct ListKind {
  std::string kind;         // Of the documents.
  std::string field;        // What the list is called in the answer: "datasets".
  std::string name_prefix;  // For versions of one thing: "flights@".
  std::string order_by;     // Where the caller names none.
};
absl::StatusOr<base::Json> list_resources(const store::Metadata& metadata,
                                          const std::string& project, const ListKind& kind,
                                          const ListRequest& request);

// The resource with these fields alone; none: as it is.
base::Json select_fields(const base::Json& resource, const std::vector<std::string>& fields);

// The fields of resources that a list's filter and order speak of, without what stands behind a
// point: "metrics.auc.value desc" gives "metrics". INVALID_ARGUMENT where they cannot be read.
absl::StatusOr<std::vector<std::string>> fields_of_filter(std::string_view filter);
absl::StatusOr<std::vector<std::string>> fields_of_order(std::string_view order_by);

// "flights@3", the name of a version's document.
std::string version_name(std::string_view name, int64_t version);
// A version as clients write it: a number from 1, or "latest" (nullopt).
absl::StatusOr<std::optional<int64_t>> parse_version(std::string_view what, std::string_view text);

}  // namespace cromford::app
