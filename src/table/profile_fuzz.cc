// Damaged profiles must be refused or give a profile that can be used: the input is a profile
// document; its state is also tried with a checksum made right, so that the bytes behind it are
// reached.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/json.h"
#include "table/diff.h"
#include "table/profile_builder.h"
#include "table/profile_codec.h"
#include "table/profile_hash.h"
#include "table/profile_state.h"

namespace cromford::table {
namespace {

void use(const Profile& profile) {
  const absl::StatusOr<ProfileBuilder> builder =
      ProfileBuilder::resume(schema_of(profile), profile);
  if (builder.ok()) {
    ProfileBuilder twice(schema_of(profile));
    twice.merge(*builder).IgnoreError();
    twice.merge(*builder).IgnoreError();
    twice.finish();
  }
  diff_versions(profile, profile).IgnoreError();
}

void try_document(std::string_view text) {
  const absl::StatusOr<base::Json> document = base::parse_json(text);
  if (!document.ok()) {
    return;
  }
  const absl::StatusOr<Profile> profile = profile_from_json(*document);
  if (profile.ok()) {
    use(*profile);
  }
}

// The bytes as the state of a table with one column of each kind.
void try_state(std::string_view bytes) {
  Profile profile;
  for (const auto& [name, type] :
       {std::pair{"i", ColumnType::kInteger}, std::pair{"n", ColumnType::kNumber},
        std::pair{"t", ColumnType::kText}}) {
    ColumnProfile column;
    column.name = name;
    column.storage = type;
    profile.columns.push_back(column);
  }
  const Schema schema = schema_of(profile);
  // The first bytes of a true state: magic, checksum, format and schema.
  const std::string empty = write_state(schema, TableState(schema));
  const std::string body = empty.substr(12, 9) + std::string(bytes);
  StateWriter sum;
  sum.word(profile_hash(std::string_view(body)));
  profile.state = empty.substr(0, 4) + sum.bytes() + body;
  use(profile);
}

}  // namespace
}  // namespace cromford::table

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (text.starts_with('{')) {
    cromford::table::try_document(text);
  } else {
    cromford::table::try_state(text);
  }
  return 0;
}
