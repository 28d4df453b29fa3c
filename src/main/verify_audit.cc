#include "main/verify_audit.h"

#include <nlohmann/json.hpp>

#include "base/file_system.h"
#include "base/json.h"
#include "base/mapped_file.h"
#include "base/status.h"
#include "govern/base64.h"
#include "govern/export.h"

namespace cromford::main_program {

absl::StatusOr<std::string> verify_audit(const cli::AuditVerification& asked) {
  govern::VerifyOptions options;
  if (!asked.checkpoint.empty()) {
    constexpr uint64_t kCheckpointBytesMax = uint64_t{1} << 16;
    TRY(options.old_checkpoint, base::system_files().read(asked.checkpoint, kCheckpointBytesMax));
  }
  if (!asked.key.empty()) {
    options.key = asked.key;
  }
  TRY(const auto file, base::MappedFile::open(asked.file));
  TRY(const govern::ExportReport report, govern::verify_export(file.text(), options));
  base::Json json = {{"origin", report.checkpoint.origin},
                     {"size", report.checkpoint.size},
                     {"root", govern::to_base64(report.checkpoint.root.view())},
                     {"key", report.verifier.text()},
                     {"key_given", options.key.has_value()},
                     {"personal", report.personal_count},
                     {"erased", report.erased_count},
                     {"first_at", report.first_at},
                     {"last_at", report.last_at}};
  if (report.extends_size.has_value()) {
    json["extends"] = *report.extends_size;
  }
  return base::dump_json(json);
}

}  // namespace cromford::main_program
