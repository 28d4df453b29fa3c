#include "app/uploads.h"

#include "app/resources.h"
#include "flow/job.h"

namespace cromford::app {
namespace {

std::filesystem::path folder_of(const Context& context) {
  return context.home->run() / "uploads";
}

// Whether some project has an unfinished job of this id.
absl::StatusOr<bool> is_wanted(const Context& context, const std::string& job_id) {
  TRY(const store::DocumentPage page,
      context.metadata->list({.kind = "job", .name_prefix = job_id, .page_size = 1}));
  if (page.documents.empty()) {
    return false;
  }
  TRY(const flow::Job job, flow::from_document(page.documents.front().body));
  return !flow::is_final(job.state);
}

}  // namespace

absl::StatusOr<std::filesystem::path> keep_upload(const Context& context,
                                                  const std::filesystem::path& spooled_file,
                                                  const std::string& job_id) {
  base::FileSystem& files = *context.files;
  const std::filesystem::path folder = folder_of(context);
  TRY(files.create_directories(folder));
  TRY(files.sync_file(spooled_file));
  std::filesystem::path kept = folder / job_id;
  TRY(files.rename(spooled_file, kept));
  TRY(files.sync_directory(folder));
  return kept;
}

void drop_upload(const Context& context, const std::filesystem::path& kept) {
  if (!kept.empty()) {
    (void)context.files->remove(kept);
  }
}

absl::Status drop_forgotten_uploads(const Context& context) {
  const std::filesystem::path folder = folder_of(context);
  if (!context.files->exists(folder)) {
    return absl::OkStatus();
  }
  TRY(const std::vector<std::string> names, context.files->list(folder));
  for (const std::string& name : names) {
    TRY(const bool wanted, is_wanted(context, name));
    if (!wanted) {
      drop_upload(context, folder / name);
    }
  }
  return absl::OkStatus();
}

}  // namespace cromford::app
