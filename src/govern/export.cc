#include "govern/export.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/status.h"
#include "base/text.h"
#include "govern/audit.h"
#include "govern/base64.h"
#include "govern/commitment.h"

namespace cromford::govern {
namespace {

constexpr std::string_view kHead = "cromford audit export 1";
constexpr std::string_view kKey = "key ";
constexpr std::string_view kPersonal = "personal ";
constexpr size_t kBufferBytes = size_t{1} << 16;

absl::Status unsound(std::string_view what) {
  return base::refused(fmt::format("the audit log does not hold: {}", what),
                       "do not rely on it; compare it with another copy");
}

// Writes in pieces of some size.
class Writer {
 public:
  explicit Writer(base::File& file) : file_(file) {}
  absl::Status line(std::string_view text) {
    buffer_ += text;
    buffer_ += '\n';
    return buffer_.size() < kBufferBytes ? absl::OkStatus() : flush();
  }
  absl::Status flush() {
    const absl::Status status = file_.write(buffer_);
    buffer_.clear();
    return status;
  }

 private:
  base::File& file_;
  std::string buffer_;
};

// The salt and the text of the entry's personal part on one line; empty where they are erased.
absl::StatusOr<std::string> personal_line(const store::Metadata& metadata,
                                          const std::string& entry) {
  const absl::StatusOr<base::Json> json = base::parse_json(entry);
  if (!json.ok() || !json->contains("personal")) {
    return std::string();
  }
  const absl::StatusOr<store::Document> document =
      metadata.get({"", std::string(kPersonalKind), json->value("id", std::string())});
  if (absl::IsNotFound(document.status())) {
    return std::string();
  }
  TRY(document);
  return fmt::format("{}{}", kPersonal, document->body);
}

// Reads an export line by line and keeps what is known so far.
class Verification {
 public:
  Verification(std::string_view bytes, const VerifyOptions& options)
      : rest_(bytes), options_(options) {}

  absl::StatusOr<ExportReport> run() {
    TRY(read_head());
    TRY(read_older());
    while (!rest_.empty() && rest_.front() != '\n') {
      TRY(const std::string_view text, line());
      TRY(text.starts_with(kPersonal) ? personal(text.substr(kPersonal.size())) : entry(text));
    }
    if (rest_.empty()) {
      return unsound(
          fmt::format("the file ends after {} entries, without a checkpoint: it is cut "
                      "off",
                      builder_.size()));
    }
    close_entry();
    TRY(end(rest_.substr(1)));
    return report_;
  }

 private:
  absl::StatusOr<std::string_view> line() {
    const size_t end = rest_.find('\n');
    if (end == std::string_view::npos) {
      return unsound(
          fmt::format("the file ends in the middle of a line after {} entries: it is "
                      "cut off",
                      builder_.size()));
    }
    const std::string_view text = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return text;
  }

  absl::Status read_head() {
    const std::string_view head = rest_.substr(0, rest_.find('\n'));
    if (head != kHead) {
      return base::invalid("this is no export of an audit log that this program reads",
                           "make one: cromford audit export FILE");
    }
    TRY(line());
    TRY(const std::string_view key, line());
    if (!key.starts_with(kKey)) {
      return unsound("its second line is not the key");
    }
    const absl::StatusOr<Verifier> verifier = parse_verifier(key.substr(kKey.size()));
    if (!verifier.ok()) {
      return unsound("its second line is not the key");
    }
    report_.verifier = *verifier;
    if (options_.key.has_value()) {
      TRY(const Verifier expected, parse_verifier(base::trim(*options_.key)));
      if (expected != report_.verifier) {
        return unsound(fmt::format("it is signed with the key {}, not with {}",
                                   report_.verifier.text(), expected.text()));
      }
    }
    return absl::OkStatus();
  }

  absl::Status read_older() {
    if (!options_.old_checkpoint.has_value()) {
      return absl::OkStatus();
    }
    TRY(older_, parse_checkpoint(*options_.old_checkpoint));
    const absl::StatusOr<Checkpoint> opened =
        open_checkpoint(*options_.old_checkpoint, report_.verifier);
    if (!opened.ok()) {
      return unsound(fmt::format("the older checkpoint is not signed with the key of this log: {}",
                                 base::message(opened.status())));
    }
    return absl::OkStatus();
  }

  void note_older_root() {
    if (older_.has_value() && builder_.size() == older_->size) {
      older_root_ = builder_.root();
    }
  }

  // INDEX HASH ENTRY
  absl::Status entry(std::string_view text) {
    close_entry();
    note_older_root();
    const size_t first = text.find(' ');
    const size_t second = first == std::string_view::npos ? first : text.find(' ', first + 1);
    if (second == std::string_view::npos) {
      return unsound(fmt::format("the line of entry {} is not readable", builder_.size()));
    }
    const auto index = base::to_number<uint64_t>(text.substr(0, first));
    if (!index.has_value() || *index != builder_.size()) {
      return unsound(
          fmt::format("where entry {} should be stands entry {}: entries were removed "
                      "or put in another order",
                      builder_.size(), text.substr(0, first)));
    }
    const std::string_view bytes = text.substr(second + 1);
    const Hash hash = leaf_hash(bytes);
    if (to_base64(hash.view()) != text.substr(first + 1, second - first - 1)) {
      return unsound(fmt::format("entry {} was changed", *index));
    }
    builder_.add(hash);
    return read_entry(bytes);
  }

  absl::Status read_entry(std::string_view bytes) {
    const absl::StatusOr<base::Json> json = base::parse_json(bytes);
    if (!json.ok() || !json->is_object()) {
      return unsound(fmt::format("entry {} is not a JSON object", builder_.size() - 1));
    }
    const auto text = [&](const char* key) {
      const auto found = json->find(key);
      return found != json->end() && found->is_string() ? found->get<std::string>() : std::string();
    };
    committed_ = text("personal");
    report_.last_at = text("at");
    if (builder_.size() == 1) {
      report_.first_at = report_.last_at;
    }
    return absl::OkStatus();
  }

  // The salt and the text behind the commitment of the entry before.
  absl::Status personal(std::string_view text) {
    const absl::StatusOr<base::Json> json = base::parse_json(text);
    const auto field = [&](const char* key) {
      const bool there =
          json.ok() && json->is_object() && json->contains(key) && json->at(key).is_string();
      return there ? json->at(key).get<std::string>() : std::string();
    };
    if (committed_.empty() || !opens(committed_, field("salt"), field("text"))) {
      return unsound(builder_.size() == 0 ? std::string("a personal part stands before all entries")
                                          : fmt::format("the personal part of entry {} was changed",
                                                        builder_.size() - 1));
    }
    committed_.clear();
    ++report_.personal_count;
    return absl::OkStatus();
  }

  // An entry whose commitment was not followed by what it commits to has lost it on purpose.
  void close_entry() {
    report_.erased_count += committed_.empty() ? 0 : 1;
    committed_.clear();
  }

  absl::Status end(std::string_view note) {
    note_older_root();
    const absl::StatusOr<Checkpoint> checkpoint = open_checkpoint(note, report_.verifier);
    if (!checkpoint.ok()) {
      return unsound(
          fmt::format("the checkpoint at its end: {}", base::message(checkpoint.status())));
    }
    report_.checkpoint = *checkpoint;
    if (checkpoint->size != builder_.size()) {
      return unsound(fmt::format("it has {} entries, and its checkpoint was signed over {}",
                                 builder_.size(), checkpoint->size));
    }
    if (checkpoint->root != builder_.root()) {
      return unsound("its entries are not those that its checkpoint was signed over");
    }
    return hold_against_older();
  }

  absl::Status hold_against_older() {
    if (!older_.has_value()) {
      return absl::OkStatus();
    }
    if (older_->origin != report_.checkpoint.origin) {
      return unsound("the older checkpoint is of another log");
    }
    if (older_->size > builder_.size()) {
      return unsound(
          fmt::format("it has {} entries, and had {} when the older checkpoint was "
                      "signed: its end was cut off",
                      builder_.size(), older_->size));
    }
    if (older_root_ != older_->root) {
      return unsound(
          fmt::format("its first {} entries are not those of the older checkpoint: it "
                      "is a fork",
                      older_->size));
    }
    report_.extends_size = older_->size;
    return absl::OkStatus();
  }

  std::string_view rest_;
  const VerifyOptions& options_;
  ExportReport report_;
  RootBuilder builder_;
  std::optional<Checkpoint> older_;
  std::optional<Hash> older_root_;
  std::string committed_;  // The commitment of the last entry, until what it commits to is read.
};

}  // namespace

absl::Status for_each_entry(
    const store::Metadata& metadata, uint64_t size,
    const std::function<absl::Status(uint64_t index, const std::string& entry)>& use) {
  uint64_t index = 0;
  std::string token;
  while (index < size) {
    TRY(const store::DocumentPage page, metadata.list({.project = "",
                                                       .kind = std::string(kEntryKind),
                                                       .page_size = 1000,
                                                       .page_token = token}));
    for (const store::Document& entry : page.documents) {
      if (index == size) {
        break;
      }
      if (entry.key.name != entry_name(index)) {
        return base::damaged(fmt::format("the audit log is damaged: entry {} is missing", index));
      }
      TRY(use(index, entry.body));
      ++index;
    }
    token = page.next_page_token;
    if (token.empty() && index < size) {
      return base::damaged(fmt::format("the audit log is damaged: entry {} is missing", index));
    }
  }
  return absl::OkStatus();
}

absl::Status export_log(const store::Metadata& metadata, base::FileSystem& files,
                        const std::filesystem::path& file, const ExportSource& source) {
  TRY(const std::unique_ptr<base::File> out, files.open_private(file));
  Writer writer(*out);
  TRY(writer.line(kHead));
  TRY(writer.line(fmt::format("{}{}", kKey, source.verifier.text())));
  const absl::Status written = for_each_entry(
      metadata, source.tree.checkpoint.size,
      [&](uint64_t index, const std::string& entry) -> absl::Status {
        TRY(const Hash hash, source.leaf(index));
        TRY(writer.line(fmt::format("{} {} {}", index, to_base64(hash.view()), entry)));
        TRY(const std::string personal, personal_line(metadata, entry));
        return personal.empty() ? absl::OkStatus() : writer.line(personal);
      });
  TRY(written);
  TRY(writer.line(""));
  std::string_view note = source.tree.note;
  note.remove_suffix(1);  // line() ends it.
  TRY(writer.line(note));
  TRY(writer.flush());
  return out->close();
}

absl::StatusOr<ExportReport> verify_export(std::string_view bytes, const VerifyOptions& options) {
  return Verification(bytes, options).run();
}

}  // namespace cromford::govern
