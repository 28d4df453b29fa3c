#pragma once

// Builds profiles: one pass over chunks of rows, at some ten nanoseconds per value.
//
//   ProfileBuilder builder(schema);
//   TRY(builder.add(chunk));                       // chunk by chunk, in the order of the rows
//   Profile profile = builder.finish();
//
//   TRY(ProfileBuilder grown, ProfileBuilder::resume(schema, parent.profile));   // append
//   TRY(grown.merge(new_rows));
//
// The result depends only on the rows and their order, not on the size of the chunks: rows are
// taken in blocks of `kBlockRows` (table/chunk.h), and block states are merged from left to right.
// So for a build in parallel give each block a builder of its own and merge them in order into an
// empty one: the result is the same, bit for bit, with any number of threads. `ProfileCollector`
// does that for the scans of this folder:
//
//   ProfileCollector collector;
//   options.on_schema = [&](const Schema& schema) { collector.start(schema); };
//   options.make_visitor = collector.factory();
//   options.sink = collector.sink();
//   ... import_files(options) ...
//   const Profile profile = collector.builder().finish();
//
// Thread safety: a builder belongs to one thread at a time.

#include <absl/status/statusor.h>

#include <atomic>
#include <cstdint>
#include <memory>

#include "table/chunk.h"
#include "table/profile.h"
#include "table/table.h"

namespace cromford::table {

class ProfileBuilder {
 public:
  explicit ProfileBuilder(Schema schema);
  ~ProfileBuilder();
  ProfileBuilder(ProfileBuilder&&) noexcept;
  ProfileBuilder& operator=(ProfileBuilder&&) noexcept;

  // Goes on where `parent` ended. INVALID_ARGUMENT where the schema is not the parent's, DATA_LOSS
  // where its state is damaged or absent.
  static absl::StatusOr<ProfileBuilder> resume(Schema schema, const Profile& parent);

  // INVALID_ARGUMENT where the number of columns, a type or the length of a span is not as the
  // schema says; nothing is added then.
  absl::Status add(const Chunk& chunk);

  // Adds the rows of `later` behind these. Where its schema is wider (more columns; integer grown
  // to number, date to timestamp, anything to text), it becomes the schema of both;
  // INVALID_ARGUMENT where it differs otherwise.
  absl::Status merge(const ProfileBuilder& later);

  // How thinly whole rows are sampled to find repeated ones (RowSample::level). A builder that will
  // be merged into another may sample as thinly as that one from its first row, which saves most of
  // the work and changes nothing in the result.
  unsigned row_sample_level() const;
  void raise_row_sample_level(unsigned level);

  const Schema& schema() const;
  int64_t row_count() const;

  // The profile of all rows so far; more may be added afterwards.
  Profile finish() const;

 private:
  friend class ProfileAccess;
  struct State;
  std::unique_ptr<State> state_;
};

// A profile made by a scan in blocks (table/scan.h, table/import.h). It must outlive the scan.
class ProfileCollector {
 public:
  // Goes on behind the rows of `earlier`, where there is one.
  void start(Schema schema);
  void start(ProfileBuilder earlier);

  BlockVisitorFactory factory();
  BlockSink sink();
  // After the scan; `start` must have been called.
  const ProfileBuilder& builder() const { return *builder_; }

 private:
  std::unique_ptr<ProfileBuilder> builder_;
  std::atomic<unsigned> row_sample_level_{0};  // Of `builder_`, for blocks that begin meanwhile.
};

// The profile of a table in memory, on the calling thread.
absl::StatusOr<Profile> profile_table(const Table& table);

}  // namespace cromford::table
