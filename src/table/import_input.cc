#include "table/import_input.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "base/status.h"
#include "base/text.h"
#include "table/engine_words.h"
#include "table/json_limits.h"
#include "table/parquet_writer.h"
#include "table/row_tap.h"
#include "table/sandbox.h"

namespace cromford::table {
namespace {

constexpr size_t kReadBytes = 1U << 20;

constexpr std::string_view kFormats = "csv, tsv, json, jsonl, parquet or arff";

std::string extension_of(const std::string& name) {
  std::filesystem::path path = base::lower(name);
  if (path.extension() == ".gz" || path.extension() == ".zst") {
    path = path.stem();
  }
  return path.extension().string();
}

// Files that people give although no table can be read from them, by their first bytes.
absl::Status check_foreign(std::string_view first, const std::string& name) {
  struct Foreign {
    std::string_view magic;
    std::string_view what;
    std::string_view remedy;
  };
  constexpr std::array<Foreign, 5> kForeign = {{
      {"PK\x03\x04", "a zip archive or an Excel workbook",
       "unpack it, or save the sheet as CSV (UTF-8)"},
      {"\xD0\xCF\x11\xE0", "an old Excel workbook", "save the sheet as CSV (UTF-8)"},
      {"BZh", "packed with bzip2", "unpack it, or pack it with gzip or zstd"},
      {"\xFD"
       "7zXZ",
       "packed with xz", "unpack it, or pack it with gzip or zstd"},
      {"%PDF", "a PDF document", "export the table as CSV"},
  }};
  for (const Foreign& foreign : kForeign) {
    if (first.starts_with(foreign.magic)) {
      return base::invalid(fmt::format("{} is {}", name, foreign.what), foreign.remedy);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> first_bytes(const std::filesystem::path& path) {
  constexpr size_t kCount = 16;
  std::string bytes(kCount, '\0');
  TRY(auto source, open_bytes(path, Compression::kNone));
  TRY(const size_t count, source->read(bytes));
  bytes.resize(count);
  return bytes;
}

absl::StatusOr<std::string> hash_file(const std::filesystem::path& path) {
  TRY(auto source, open_bytes(path, Compression::kNone, Hashing::kOn));
  return source->finish_hash();
}

JsonLimits json_limits(const InputPlan& plan) {
  return {plan.display_name, plan.source.format == "jsonl" ? JsonLimits::Layout::kLines
                                                           : JsonLimits::Layout::kDocument};
}

// Plain JSON that the data engine reads as it is.
absl::Status check_json(const InputPlan& plan, const base::CancelToken& cancel) {
  TRY(auto source, open_bytes(plan.path, Compression::kNone));
  JsonLimits limits = json_limits(plan);
  std::vector<char> buffer(kReadBytes);
  while (true) {
    TRY(cancel.check());
    TRY(const size_t count, source->read(buffer));
    if (count == 0) {
      return absl::OkStatus();
    }
    TRY(limits.push({buffer.data(), count}));
  }
}

// An error about a file, by the name that people know it by.
absl::Status name_file(const absl::Status& status, const InputPlan& plan) {
  const absl::Status told =
      words_of_file(status, {.path = plan.path.string(), .display_name = plan.display_name});
  return base::remedy(told).empty()
             ? base::with_remedy(
                   told,
                   fmt::format("mend the file, or name its format with --format: {}", kFormats))
             : told;
}

}  // namespace

absl::Status in_words_of_file(const absl::Status& status, const InputPlan& plan) {
  const bool named = base::message(status).find(plan.path.string()) != std::string::npos;
  return !plan.text && named ? name_file(status, plan) : status;
}

namespace {

absl::StatusOr<MappedSelect> plan_by_engine(duck::Connection& connection, const std::string& select,
                                            InputPlan& plan) {
  auto mapped = map_select(connection, select, duck::Origin::kFile);
  if (!mapped.ok()) {
    return name_file(mapped.status(), plan);
  }
  plan.select = mapped->sql;
  plan.schema = mapped->schema;
  if (plan.schema.columns.empty()) {
    return base::invalid(fmt::format("{} has no columns", plan.display_name),
                         "give a file with at least one column");
  }
  return mapped;
}

absl::Status plan_parquet(duck::Connection& connection, InputPlan& plan) {
  constexpr std::string_view kEngineNumber = "file_row_number";
  TRY(plan.source.hash, hash_file(plan.path));
  const std::string path = quote_text(plan.path.string());
  TRY(const MappedSelect mapped,
      plan_by_engine(connection, fmt::format("SELECT * FROM read_parquet([{}])", path), plan));
  const auto& columns = plan.schema.columns;
  const bool has_number = std::any_of(columns.begin(), columns.end(), [&](const auto& column) {
    return base::lower(column.name) == kEngineNumber;
  });
  if (!has_number) {
    plan.numbered_select = fmt::format(
        "SELECT {}, {} AS {} FROM (\nSELECT * FROM read_parquet([{}], {} = true)\n) AS source({})",
        mapped.expressions, kEngineNumber, quote_name(RowTap::kRowNumber), path, kEngineNumber,
        mapped.aliases);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> guess_format(const TextSample& sample, const std::string& name) {
  const std::string extension = extension_of(name);
  if (extension == ".tsv" || extension == ".tab") {
    return "tsv";
  }
  if (looks_like_arff(sample.text)) {
    return "arff";
  }
  const std::string_view text = base::trim(sample.text);
  if (text.empty()) {
    return base::invalid(fmt::format("{} is empty", name), "give a file with rows");
  }
  if (extension == ".jsonl" || extension == ".ndjson") {
    return "jsonl";
  }
  const bool may_be_json = text.front() == '{' || text.front() == '[';
  if (extension == ".json" && !may_be_json) {
    return base::invalid(
        fmt::format("{} holds neither a JSON array nor JSON objects", name),
        fmt::format("mend the file, or name its format with --format: {}", kFormats));
  }
  if (extension == ".csv" || !may_be_json) {
    return "csv";
  }
  if (text.front() == '[') {
    return "json";
  }
  // One object per line, unless the first line does not hold a whole one.
  const std::string_view first = base::trim(text.substr(0, text.find('\n')));
  return nlohmann::json::accept(first) ? "jsonl" : "json";
}

// Copies the text of a file, unpacked and as UTF-8; of JSON lines only those that hold an object,
// the others become bad rows.
class JsonCopy {
 public:
  JsonCopy(InputPlan& plan, Compression compression, Encoding encoding)
      : plan_(plan), compression_(compression), encoding_(encoding) {}

  absl::Status run(const std::filesystem::path& output, bool check_lines,
                   const LookOptions& options) {
    TRY(auto source, open_bytes(plan_.path, compression_));
    source = bounded(std::move(source), options.unpacked_bytes_max, plan_.display_name);
    std::ofstream out(output, std::ios::binary);
    Transcoder transcoder(encoding_);
    JsonLimits limits = json_limits(plan_);
    std::vector<char> buffer(kReadBytes);
    std::string text;
    bool last = false;
    while (!last) {
      TRY(options.cancel.check());
      TRY(const size_t count, source->read(buffer));
      last = count == 0;
      const size_t before = text.size();
      transcoder.push({buffer.data(), count}, last, text);
      TRY(limits.push(std::string_view(text).substr(before)));
      const size_t used = check_lines ? copy_lines(text, last, out) : text.size();
      if (!check_lines) {
        out << text;
      }
      text.erase(0, used);
      if (text.size() > RowScanner::kRowBytesMax) {
        return base::invalid(
            fmt::format("{}: line {} is longer than 16 MiB", plan_.display_name, line_),
            "this is not JSON lines; name the format with --format json");
      }
    }
    out.close();
    return out.good() ? absl::OkStatus()
                      : base::exhausted(fmt::format("cannot write {}", output.string()),
                                        "free disk space");
  }

 private:
  size_t copy_lines(std::string_view text, bool last, std::ofstream& out) {
    size_t begin = 0;
    while (begin < text.size()) {
      const size_t end = text.find('\n', begin);
      if (end == std::string_view::npos && !last) {
        break;
      }
      const size_t stop = std::min(end, text.size());
      const std::string_view line = base::trim(text.substr(begin, stop - begin));
      begin = std::min(stop + 1, text.size());
      if (!line.empty() && line.front() == '{' && nlohmann::json::accept(line)) {
        out << line << '\n';
      } else if (!line.empty()) {
        plan_.bad.push_back({line_,
                             std::string(base::clip_utf8(line, RowScanner::kBadTextBytesMax)),
                             "the line is not a JSON object"});
      }
      ++line_;
    }
    return begin;
  }

  InputPlan& plan_;
  Compression compression_;
  Encoding encoding_;
  int64_t line_ = 1;
};

std::string json_select(const InputPlan& plan, Compression compression) {
  // All rows decide on the types; nested values stay whole.
  return fmt::format(
      "SELECT * FROM read_json({}, format = '{}', compression = '{}', sample_size = -1, "
      "maximum_sample_files = 1, map_inference_threshold = -1, field_appearance_threshold = 0)",
      quote_text(plan.path.string()), plan.source.format == "jsonl" ? "newline_delimited" : "auto",
      compression == Compression::kNone ? "uncompressed"
                                        : std::string(compression_name(compression)));
}

absl::Status plan_json(duck::Connection& connection, const TextSample& sample, bool has_mark,
                       const LookOptions& options, InputPlan& plan) {
  TRY(plan.source.hash, hash_file(plan.path));
  Compression compression = sample.compression;
  const bool lines = plan.source.format == "jsonl";
  const std::filesystem::path copy = options.scratch / fmt::format("{}.json", plan.source.hash);
  if (sample.encoding != Encoding::kUtf8 || has_mark) {
    TRY(JsonCopy(plan, compression, sample.encoding).run(copy, lines, options));
    plan.path = copy;
    compression = Compression::kNone;
  } else {
    TRY(check_json(plan, options.cancel));
  }
  absl::Status status = plan_by_engine(connection, json_select(plan, compression), plan).status();
  if (!status.ok() && lines && plan.path != copy) {
    // Some line is no object: read the others.
    TRY(JsonCopy(plan, compression, sample.encoding).run(copy, lines, options));
    plan.path = copy;
    std::error_code error;
    if (std::filesystem::file_size(copy, error) == 0) {
      return base::invalid(fmt::format("{} has no line that is a JSON object", plan.display_name),
                           fmt::format("name the format with --format: {}", kFormats));
    }
    status = plan_by_engine(connection, json_select(plan, Compression::kNone), plan).status();
  }
  return status;
}

absl::Status plan_text(const TextSample& sample, InputPlan& plan) {
  TextFile file;
  file.path = plan.path;
  file.display_name = plan.display_name;
  if (plan.source.format == "arff") {
    TRY(plan_arff_file(sample, file));
  } else {
    const bool tabs = plan.source.format == "tsv";
    TRY(plan_text_file(sample, tabs ? std::optional<char>('\t') : std::nullopt, file));
  }
  plan.source.format = plan.source.format == "arff" ? "arff" : "csv";
  plan.source.delimiter = std::string(1, file.layout.dialect.delimiter);
  plan.source.quote =
      file.layout.dialect.quote == 0 ? "" : std::string(1, file.layout.dialect.quote);
  plan.source.header = file.layout.header;
  plan.bad = std::move(file.layout.preamble);
  plan.text = std::move(file);
  plan.refresh_schema();
  return absl::OkStatus();
}

}  // namespace

void InputPlan::refresh_schema() {
  schema.columns.clear();
  for (const PlannedColumn& column : text->columns) {
    schema.columns.push_back({column.name, column.plan.type});
  }
}

absl::StatusOr<InputPlan> look_at_input(duck::Connection& connection, const ImportInput& input,
                                        const LookOptions& options) {
  InputPlan plan;
  plan.path = input.path;
  plan.display_name =
      input.display_name.empty() ? input.path.filename().string() : input.display_name;
  plan.source.name = plan.display_name;
  plan.source.format = input.format;
  constexpr std::array<std::string_view, 7> kKnown = {"",      "csv",     "tsv", "json",
                                                      "jsonl", "parquet", "arff"};
  if (std::find(kKnown.begin(), kKnown.end(), input.format) == kKnown.end()) {
    return base::invalid(fmt::format("there is no format \"{}\"", input.format),
                         fmt::format("the formats are {}", kFormats));
  }
  std::error_code error;
  TRY(const std::string first, first_bytes(input.path));
  plan.source.size_bytes = std::filesystem::file_size(input.path, error);
  if (first.empty()) {
    return base::invalid(fmt::format("{} is empty", plan.display_name), "give a file with rows");
  }
  TRY(check_foreign(first, plan.display_name));
  if (input.format == "parquet" || (input.format.empty() && first.starts_with("PAR1"))) {
    plan.source.format = "parquet";
    TRY(plan_parquet(connection, plan));
    return plan;
  }
  auto sample = read_sample(input.path);
  if (!sample.ok()) {
    return name_file(sample.status(), plan);
  }
  plan.source.compression = std::string(compression_name(sample->compression));
  plan.source.encoding = std::string(encoding_name(sample->encoding));
  if (plan.source.format.empty()) {
    TRY(plan.source.format, guess_format(*sample, plan.display_name));
  }
  if (plan.source.format == "json" || plan.source.format == "jsonl") {
    const bool has_mark =
        first.starts_with("\xEF\xBB\xBF") || sample->compression != Compression::kNone;
    TRY(plan_json(connection, *sample, has_mark, options, plan));
  } else {
    TRY(plan_text(*sample, plan));
  }
  return plan;
}

}  // namespace cromford::table
