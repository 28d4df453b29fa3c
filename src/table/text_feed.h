#pragma once

// A delimited text file on its way into the data engine: one thread reads, unpacks and cuts into
// rows, others convert, and the engine takes the chunks in the order of the file through a table
// function. Memory stays at a few blocks, whatever the size of the file.
//
//   TRY(auto feed, TextFeed::start(std::move(file), threads, cancel));
//   TRY(feed->register_function(connection, "rows_0"));
//   TRY(connection.run("COPY (SELECT * FROM rows_0()) TO ..."));
//   const TextFeedResult& result = feed->result();
//
// Thread safety: `start`, `register_function` and `result` by one thread; the engine calls the
// rest.

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.h"
#include "table/block_converter.h"
#include "table/byte_source.h"
#include "table/column_plan.h"
#include "table/dialect.h"
#include "table/encoding.h"

namespace cromford::table {

// What was found out about a text file by looking at its beginning.
struct TextFile {
  std::filesystem::path path;
  std::string display_name;
  uint64_t size_bytes = 0;
  Compression compression = Compression::kNone;
  Encoding encoding = Encoding::kUtf8;
  TextLayout layout;
  std::vector<PlannedColumn> columns;
};

// The first bytes of a file, unpacked and in UTF-8.
struct TextSample {
  std::string text;
  bool whole = false;  // there is no more
  Compression compression = Compression::kNone;
  Encoding encoding = Encoding::kUtf8;
  uint64_t size_bytes = 0;  // of the file as it is
};
// INVALID_ARGUMENT when the file is not text, or damaged; NOT_FOUND.
absl::StatusOr<TextSample> read_sample(const std::filesystem::path& path);

// Fills layout and columns from a sample. INVALID_ARGUMENT when there is no table in it.
absl::Status plan_text_file(const TextSample& sample, std::optional<char> delimiter,
                            TextFile& file);
// The same for ARFF (https://waikato.github.io/weka-wiki/formats_and_processing/arff_stable/),
// whose beginning names the columns. Sparse data is refused.
bool looks_like_arff(std::string_view text);
absl::Status plan_arff_file(const TextSample& sample, TextFile& file);

struct TextFeedResult {
  absl::Status status;    // why reading ended early
  bool hopeless = false;  // it did because the plans are wrong; see `misfits`
  int64_t row_count = 0;  // given to the engine
  int64_t bad_count = 0;
  std::vector<Misfits> misfits;
  std::vector<MissingMarks> marks;
  std::vector<int64_t> infinite;  // infinities taken as missing, by column
  int64_t comment_count = 0;      // lines left out behind the header
  int64_t repaired_count = 0;     // bytes that were not of the encoding
  std::string hash;               // of the file's bytes
};

struct TextFeedOptions {
  TextFile file;
  int threads = 1;
  uint64_t unpacked_bytes_max = UINT64_MAX;  // of a packed file
  base::CancelToken cancel;
  // Takes bad rows, in order, on one thread at a time.
  std::function<absl::Status(const std::vector<BadRow>&)> on_bad;
  // Told the packed bytes read and the rows given so far.
  std::function<void(uint64_t, int64_t)> on_progress;
};

class TextFeed {
 public:
  explicit TextFeed(TextFeedOptions options);
  ~TextFeed();
  TextFeed(const TextFeed&) = delete;
  TextFeed& operator=(const TextFeed&) = delete;

  // Makes the feed callable as the table function `name`, once. The feed must live until the query
  // has ended. Reading begins with the first row that the engine asks for.
  absl::Status register_function(duck::Connection& connection, const std::string& name);

  // Once the query has ended.
  const TextFeedResult& result() const;

  struct State;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace cromford::table
