// `cromford audit` and `cromford lineage`: what was done, what was true, and the proof of it.

#include <fmt/format.h>
#include <stdlib.h>  // mkdtemp

#include <nlohmann/json.hpp>

#include "base/status.h"
#include "base/text.h"
#include "cli/handlers.h"
#include "cli/json_fields.h"
#include "cli/names.h"
#include "cli/transfer.h"

namespace cromford::cli {
namespace {

// A folder of this user alone for as long as it takes.
class PrivateFolder {
 public:
  static absl::StatusOr<std::unique_ptr<PrivateFolder>> create() {
    std::string path = (std::filesystem::temp_directory_path() / "cromford-XXXXXX").string();
    if (mkdtemp(path.data()) == nullptr) {
      return base::internal(fmt::format("cannot make a folder like {}", path));
    }
    return std::unique_ptr<PrivateFolder>(new PrivateFolder(path));
  }
  ~PrivateFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  PrivateFolder(const PrivateFolder&) = delete;
  PrivateFolder& operator=(const PrivateFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  explicit PrivateFolder(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

// `late@3 champion 100%, trained on flights@1 (run 01hv...), package 6fd3..., 3 of 3 checks passed`
std::string variant_line(const base::Json& variant) {
  std::string line = fmt::format("{}@{} {} {}%", text_field(variant, "model"),
                                 text_field(variant, "model_version"), text_field(variant, "role"),
                                 text_field(variant, "weight"));
  if (const std::string dataset = text_field(variant, "dataset"); !dataset.empty()) {
    line += ", trained on " + dataset;
  }
  if (const std::string run = text_field(variant, "run"); !run.empty()) {
    line += fmt::format(" (run {})", run);
  }
  line += ", package " + text_field(variant, "package").substr(0, 12);
  const base::Json& checks = array_field(variant, "checks");
  int64_t passed = 0;
  for (const base::Json& check : checks) {
    passed += bool_field(check, "passed") ? 1 : 0;
  }
  return checks.empty()
             ? line + ", no checks of its rows"
             : fmt::format("{}, {} of {} checks of its rows passed", line, passed, checks.size());
}

void print_state(const base::Json& state, const std::string& object, const std::string& at,
                 Output& output) {
  output.heading(fmt::format("{} at {}", object, at));
  Facts facts;
  if (!bool_field(state, "exists")) {
    facts.add("exists", "no");
    output.facts(facts);
    return;
  }
  facts.add("since", text_field(state, "since"));
  facts.add("by", text_field(state, "actor"));
  facts.add("action", text_field(state, "action"));
  for (const char* name : {"reason", "content_hash", "package", "dataset"}) {
    if (const std::string text = text_field(state, name); !text.empty()) {
      facts.add(name, text);
    }
  }
  if (const base::Json& evidence = field(state, "evidence"); evidence.is_object()) {
    facts.add("evidence", evidence.dump());
  }
  for (const base::Json& variant : array_field(state, "variants")) {
    facts.add("serves", variant_line(variant));
  }
  output.facts(facts);
}

void print_report(const base::Json& report, Output& output) {
  Facts facts;
  facts.add("entries", text_field(report, "size"));
  facts.add("first", text_field(report, "first_at"));
  facts.add("last", text_field(report, "last_at"));
  facts.add("personal parts", text_field(report, "personal"));
  facts.add("erased", text_field(report, "erased"));
  facts.add("root", text_field(report, "root"));
  facts.add("key", text_field(report, "key"));
  if (const std::string older = text_field(report, "extends"); !older.empty()) {
    facts.add("extends the checkpoint of", older + " entries");
  }
  output.facts(facts);
  if (text_field(report, "extends").empty() && !bool_field(report, "key_given")) {
    output.note(
        "\nit holds in itself; whether it was cut off or rewritten by who holds the key, only an\n"
        "older checkpoint or the key from elsewhere can tell: --checkpoint FILE, --key KEY");
  }
}

}  // namespace

absl::Status audit_list(const Invocation& call, Session& session) {
  Query query = list_query(call);
  for (const char* name : {"object", "actor", "from", "to", "at"}) {
    if (const std::string text = call.text(std::string("--") + name); !text.empty()) {
      query.emplace_back(name, text);
    }
  }
  Output& output = session.output();
  if (const std::string at = call.text("--at"); !at.empty()) {
    TRY(const base::Json answer, session.get("/audit", query));
    output.document(answer);
    print_state(field(answer, "state"), call.text("--object"), at, output);
    return absl::OkStatus();
  }
  TRY(const base::Json answer, session.list("/audit", "entries", query, list_limit(call)));
  output.document(answer);
  TextTable table({{"INDEX", Align::kRight},
                   {"AT"},
                   {"ACTOR"},
                   {"ACTION"},
                   {"OBJECT", Align::kLeft, true},
                   {"REASON", Align::kLeft, true}});
  for (const base::Json& entry : array_field(answer, "entries")) {
    table.add({text_field(entry, "index"), text_field(entry, "at"), text_field(entry, "actor"),
               text_field(entry, "action"), text_field(entry, "object"),
               text_field(entry, "reason")});
  }
  output.table(table);
  return absl::OkStatus();
}

absl::Status audit_checkpoint(const Invocation& /*call*/, Session& session) {
  TRY(const base::Json answer, session.get("/audit/checkpoint"));
  session.output().document(answer);
  if (!session.output().json()) {
    session.output().raw(text_field(answer, "checkpoint"));
  }
  session.output().note("\nkey: " + text_field(answer, "key"));
  return absl::OkStatus();
}

absl::Status audit_export(const Invocation& call, Session& session) {
  const std::string file = call.positional(0);
  TRY(const int64_t bytes, download(session, "/audit/export", {}, file));
  if (file != "-") {
    session.output().document(base::Json::object({{"file", file}, {"size_bytes", bytes}}));
    session.output().line(fmt::format("{}\t{}", file, bytes_cell(bytes).shown));
  }
  return absl::OkStatus();
}

absl::Status audit_verify(const Invocation& call, Session& session) {
  Environment& environment = session.environment();
  if (!environment.verify_audit) {
    return base::internal("this program cannot verify an audit log");
  }
  AuditVerification asked{.file = call.positional(0),
                          .checkpoint = call.text("--checkpoint"),
                          .key = call.text("--key")};
  std::unique_ptr<PrivateFolder> folder;
  if (asked.file.empty()) {
    TRY(folder, PrivateFolder::create());
    asked.file = folder->path() / "audit.txt";
    TRY(download(session, "/audit/export", {}, asked.file.string()));
  }
  TRY(const std::string text, environment.verify_audit(asked));
  TRY(base::Json report, base::parse_json(text));
  session.output().document(report);
  print_report(report, session.output());
  return absl::OkStatus();
}

absl::Status lineage(const Invocation& call, Session& session) {
  TRY(const base::Json answer, session.get("/lineage", {{"object", call.positional(0)}}));
  Output& output = session.output();
  output.document(answer);
  const auto print = [&output](std::string_view title, const base::Json& links) {
    output.heading(title);
    TextTable table({{"OBJECT", Align::kLeft, true}, {"HOW"}, {"OF", Align::kLeft, true}});
    for (const base::Json& link : links) {
      table.add({text_field(link, "object") + (bool_field(link, "gone") ? " (gone)" : ""),
                 text_field(link, "how"), text_field(link, "of")});
    }
    output.table(table);
  };
  print(fmt::format("{} rests on", text_field(answer, "object")), array_field(answer, "rests_on"));
  print("It is used by", array_field(answer, "used_by"));
  if (bool_field(answer, "truncated")) {
    output.warning("there is more than is shown");
  }
  return absl::OkStatus();
}

}  // namespace cromford::cli
