#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/limits.h"
#include "base/status.h"
#include "base/text.h"
#include "table/text_feed.h"

// Looking at the beginning of a text file: what TextFeed needs to know before it starts.

namespace cromford::table {
namespace {

constexpr size_t kSampleBytes = 2U << 20;
constexpr size_t kSampleRows = 20'000;
constexpr size_t kReadBytes = 256U << 10;

absl::Status plan_columns(const TextSample& sample, TextFile& file) {
  const size_t width = file.layout.names.size();
  if (width == 0) {
    return base::invalid(fmt::format("{} has no rows", file.display_name),
                         "give a file with a header and at least one row");
  }
  const base::Limits limits;
  if (width > limits.columns) {
    // The sample may end within the first row, so how many there are is not known.
    return base::exhausted(
        fmt::format("{} has more than {} columns", file.display_name, limits.columns),
        "split it by columns, or store the values as rows with a name each");
  }
  RowScanner scanner(file.layout.dialect, width);
  RowBlock block;
  block.text = sample.text.substr(file.layout.preamble_bytes + file.layout.header_bytes);
  scanner.scan(sample.whole, block);
  std::vector<ColumnGuess> guesses(width);
  std::string scratch;
  for (size_t row = 0; row < std::min(block.row_count(), kSampleRows); ++row) {
    for (size_t i = 0; i < width; ++i) {
      guesses[i].add(block.cell_text(block.cells[row * width + i], file.layout.dialect, scratch));
    }
  }
  for (size_t i = 0; i < width; ++i) {
    file.columns.push_back({file.layout.names[i], guesses[i].plan(file.layout.dialect.delimiter)});
  }
  return absl::OkStatus();
}

// "@attribute name type" without its first word: the name, which may be quoted.
std::string arff_name(std::string_view text) {
  text = base::trim(text);
  if (text.starts_with('\'') || text.starts_with('"')) {
    std::string name;
    for (size_t i = 1; i < text.size() && text[i] != text[0]; ++i) {
      i += text[i] == '\\' && i + 1 < text.size() ? 1 : 0;
      name.push_back(text[i]);
    }
    return name;
  }
  return std::string(text.substr(0, text.find_first_of(" \t{")));
}

bool begins_with(std::string_view line, std::string_view word) {
  return line.size() >= word.size() && base::equal_ignoring_case(line.substr(0, word.size()), word);
}

}  // namespace

absl::StatusOr<TextSample> read_sample(const std::filesystem::path& path) {
  TextSample sample;
  std::string first(4, '\0');
  {
    TRY(auto source, open_bytes(path, Compression::kNone));
    TRY(const size_t count, source->read(first));
    sample.compression = detect_compression(std::string_view(first).substr(0, count));
  }
  std::error_code error;
  sample.size_bytes = std::filesystem::file_size(path, error);
  TRY(auto source, open_bytes(path, sample.compression));
  std::string bytes;
  std::vector<char> buffer(kReadBytes);
  while (!sample.whole && bytes.size() < kSampleBytes) {
    TRY(const size_t count, source->read(buffer));
    bytes.append(buffer.data(), count);
    sample.whole = count == 0;
  }
  sample.encoding = detect_encoding(bytes);
  if (sample.encoding == Encoding::kBinary) {
    return base::invalid(
        fmt::format("{} is neither text nor a format that is known here", path.filename().string()),
        "give CSV, TSV, JSON, JSON lines, ARFF or Parquet, plain or packed with gzip or zstd");
  }
  Transcoder transcoder(sample.encoding);
  transcoder.push(bytes, sample.whole, sample.text);
  return sample;
}

absl::Status plan_text_file(const TextSample& sample, std::optional<char> delimiter,
                            TextFile& file) {
  file.size_bytes = sample.size_bytes;
  file.compression = sample.compression;
  file.encoding = sample.encoding;
  file.layout = sniff_layout(sample.text, sample.whole, delimiter);
  return plan_columns(sample, file);
}

bool looks_like_arff(std::string_view text) {
  constexpr size_t kSearched = 64U << 10;
  for (const std::string_view raw : base::split(text.substr(0, kSearched), '\n')) {
    const std::string_view line = base::trim(raw);
    if (!line.empty() && !line.starts_with('%')) {
      return begins_with(line, "@relation");
    }
  }
  return false;
}

absl::Status plan_arff_file(const TextSample& sample, TextFile& file) {
  file.size_bytes = sample.size_bytes;
  file.compression = sample.compression;
  file.encoding = sample.encoding;
  const std::string_view text = sample.text;
  std::vector<std::string> names;
  size_t at = 0;
  int64_t lines = 0;
  bool found_data = false;
  while (at < text.size() && !found_data) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = base::trim(text.substr(at, end - at));
    at = std::min(end + 1, text.size());
    ++lines;
    if (begins_with(line, "@attribute")) {
      names.push_back(arff_name(line.substr(std::string_view("@attribute").size())));
    }
    found_data = begins_with(line, "@data");
  }
  if (!found_data || names.empty()) {
    return base::invalid(
        fmt::format("{} begins as ARFF but has no @attribute or @data", file.display_name),
        "name the format with --format if it is another one");
  }
  const std::string_view data = text.substr(at);
  if (base::trim(data).starts_with('{')) {
    return base::invalid(fmt::format("{} holds sparse ARFF data", file.display_name),
                         "convert it to the dense form, or to CSV");
  }
  file.layout = sniff_layout(data, sample.whole, ',');
  file.layout.names = tidy_names(names);
  file.layout.dialect.comment = '%';
  if (data.find('"') == std::string_view::npos) {
    file.layout.dialect.quote = '\'';
  }
  file.layout.dialect.backslash_escapes = true;
  file.layout.dialect.pad_short_rows = false;
  file.layout.preamble.clear();
  file.layout.preamble_bytes = at;
  file.layout.preamble_lines = lines;
  file.layout.header = true;
  file.layout.header_bytes = 0;
  file.layout.header_lines = 0;
  return plan_columns(sample, file);
}

}  // namespace cromford::table
