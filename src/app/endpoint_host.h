#pragma once

// Keeps what is served equal to what the endpoints' documents say. A change is built and checked
// first, committed next and served last, and the last step cannot fail; so no document is ever
// committed that cannot be served. What happens to a document in any other way (this process was
// down, somebody else wrote it) is brought in by reconcile().
//
//   EndpointHost host(context, registry);
//   TRY(host.open());                                      // all there are
//   TRY(host.change(document.key, document.revision, after));
//   TRY(host.reconcile("default", "late"));                // after somebody else's change
//
// An endpoint that cannot be served as its document says is degraded: what it served before goes
// on, and degraded() names it with the reason.
//
// Thread safety: every member may be called from any thread; changes are made one at a time.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "app/context.h"
#include "app/package_cache.h"
#include "base/json.h"
#include "base/status.h"
#include "serve/registry.h"

namespace cromford::app {

class EndpointHost {
 public:
  // Both must outlive the host.
  EndpointHost(const Context& context, serve::Registry& registry);

  // `publishing` is told of every endpoint before requests can see it; set it before open().
  void on_publish(std::function<void(const serve::Endpoint&)> publishing) {
    publishing_ = std::move(publishing);
  }

  // Reconciles every endpoint there is. One that cannot be served is logged and keeps no other from
  // serving; only the list itself must be readable.
  absl::Status open();

  // Brings the registry to what the endpoint's document says now: serves it, or nothing where there
  // is no document. The error is the reason for which it is degraded.
  absl::Status reconcile(const std::string& project, const std::string& name);

  // Commits the endpoint's next body over `expected_revision` (store::kMustNotExist: makes it) and
  // serves it. After an error nothing has changed, neither the document nor what is served:
  // INVALID_ARGUMENT where its variants cannot be served together, NOT_FOUND and DATA_LOSS where a
  // version or its package is gone, ABORTED and ALREADY_EXISTS where somebody was faster.
  absl::Status change(const store::DocumentKey& key, int64_t expected_revision,
                      const base::Json& body);
  // Deletes the document and serves it no more. ABORTED where somebody was faster.
  absl::Status remove(const store::DocumentKey& key, int64_t expected_revision);

  struct Degraded {
    std::string project;
    std::string name;
    std::string reason;
    bool serving = false;  // With what it served before.
  };
  std::vector<Degraded> degraded() const;

 private:
  using Name = std::pair<std::string, std::string>;  // project, endpoint

  // The endpoint as its body says, ready to serve.
  absl::StatusOr<std::shared_ptr<const serve::Endpoint>> build(const std::string& project,
                                                               const base::Json& body);
  absl::Status serve_document(const store::Document& document);
  void publish(std::shared_ptr<const serve::Endpoint> endpoint, const base::Json& body);
  // Holds on to the packages that `next` no longer serves, so that a rollback need not read them.
  void keep_warm(const serve::Endpoint& next);
  void withdraw(const std::string& project, const std::string& name);
  void note(const std::string& project, const std::string& name, const absl::Status& status);

  const Context& context_;
  serve::Registry& registry_;
  PackageCache packages_;
  std::function<void(const serve::Endpoint&)> publishing_;
  std::mutex changing_;  // Held from the reading of a document to its being served.
  // What each endpoint served before its last change of models; guarded by changing_.
  std::map<Name, std::vector<std::shared_ptr<const model::Package>>> warm_;
  mutable std::mutex mutex_;
  std::map<Name, std::string> degraded_;  // Name to reason; guarded by mutex_.
};

}  // namespace cromford::app
