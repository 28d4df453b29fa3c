#pragma once

// Removes objects that nothing refers to any more: those of deleted datasets and models, of jobs
// that were forgotten, of imports that failed before their commit. An object stays if the text of
// any document, of whatever kind, contains its hash, or if it was put at `before` or later: between
// its put and the commit that names it, an object looks like garbage. Documents of kinds that begin
// with "audit_" do not count: they tell of objects for ever, also of those that are gone.
//
//   TRY(const store::Swept swept,
//       store::sweep(*metadata, *objects, clock.now() - std::chrono::hours(1)));
//
// A sweep that is cut off anywhere has removed some of the garbage, and the next one removes the
// rest.
//
// Thread safety: may run beside every other use of both stores, and beside itself.

#include <absl/status/statusor.h>

#include <cstdint>

#include "base/cancel.h"
#include "base/clock.h"
#include "store/metadata.h"
#include "store/objects.h"

namespace cromford::store {

struct Swept {
  uint64_t object_count = 0;
  uint64_t bytes = 0;
};

// CANCELLED by the token. After any error, what was referred to is still there.
absl::StatusOr<Swept> sweep(const Metadata& metadata, Objects& objects, base::Time before,
                            const base::CancelToken& cancel = {});

}  // namespace cromford::store
