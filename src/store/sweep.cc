#include "store/sweep.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/status.h"

namespace cromford::store {
namespace {

constexpr size_t kHashDigits = 64;
constexpr std::string_view kTellingKinds = "audit_";  // How they begin.

bool is_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

// Calls `use` with everything in `text` that could be a hash.
template <typename Use>
void for_each_hash(std::string_view text, Use&& use) {
  size_t run = 0;  // Digits up to here without a gap.
  for (size_t i = 0; i < text.size(); ++i) {
    run = is_digit(text[i]) ? run + 1 : 0;
    if (run >= kHashDigits) {
      use(std::string(text.substr(i + 1 - kHashDigits, kHashDigits)));
    }
  }
}

}  // namespace

absl::StatusOr<Swept> sweep(const Metadata& metadata, Objects& objects, base::Time before,
                            const base::CancelToken& cancel) {
  // First the objects, then the documents: whatever names an old object by now is seen.
  TRY(const std::vector<ObjectInfo> all, objects.list());
  std::unordered_map<std::string, ObjectInfo> garbage;
  for (const ObjectInfo& object : all) {
    if (object.put_at < before) {
      garbage.emplace(object.hash.text(), object);
    }
  }
  if (garbage.empty()) {
    return Swept{};
  }
  TRY(metadata.visit_all([&](const Document& document) -> absl::Status {
    if (!document.key.kind.starts_with(kTellingKinds)) {
      for_each_hash(document.body, [&](const std::string& hash) { garbage.erase(hash); });
    }
    return cancel.check();
  }));
  Swept swept;
  for (const auto& [name, object] : garbage) {
    TRY(cancel.check());
    TRY(const bool gone, objects.remove_unless_put_since(object.hash, before));
    if (gone) {
      ++swept.object_count;
      swept.bytes += object.size_bytes;
    }
  }
  return swept;
}

}  // namespace cromford::store
