#pragma once

// Segments as files: one that is written, and all that can be read. For the sources of this folder.
//
//   TRY(OpenSegment segment, OpenSegment::create(files, directory, header, Durability::kKernel));
//   TRY(segment.append(frames));                       // all of them, or the file as it was
//   TRY(write_footer(files, path, segment.size(), footer));       // now it is believed
//
// Thread safety: an OpenSegment belongs to one thread, but for its file, which another may sync;
// Segments may be shared.

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/mapped_file.h"
#include "feedback/format.h"
#include "feedback/log.h"

namespace cromford::feedback {

// "predictions-00000012.open" while it is written, ".segment" once it is closed; its index file has
// the same name with ".index".
inline constexpr std::string_view kOpenSuffix = ".open";
inline constexpr std::string_view kClosedSuffix = ".segment";
inline constexpr std::string_view kIndexSuffix = ".index";
std::string segment_name(SegmentKind kind, uint32_t number, std::string_view suffix);
struct SegmentName {
  SegmentKind kind = SegmentKind::kPredictions;
  uint32_t number = 0;
  std::string suffix;
};
// nullopt for any other name.
std::optional<SegmentName> parse_segment_name(std::string_view name);

// A segment that is written.
class OpenSegment {
 public:
  // Makes the file with its header; where the log is to survive power failures, also durable.
  static absl::StatusOr<OpenSegment> create(base::FileSystem& files,
                                            const std::filesystem::path& directory,
                                            const SegmentHeader& header, Durability durability);

  uint32_t number() const { return header_.number; }
  base::Time created_at() const { return header_.created_at; }
  // Where the next frame will stand.
  uint64_t size() const { return size_; }
  const std::shared_ptr<base::File>& file() const { return file_; }

  // Ends the frames with this segment's checksums and writes them. After an error the file is cut
  // back to where it was, and no more must be written to it: what the failed write left behind a
  // cut that failed too is not known.
  absl::Status append(std::string& frames);
  // Cuts off what stands behind `bytes`, because it could not be made durable.
  void cut(uint64_t bytes);

 private:
  OpenSegment() = default;

  base::FileSystem* files_ = nullptr;
  std::filesystem::path path_;
  SegmentHeader header_;
  uint32_t seed_ = 0;
  std::shared_ptr<base::File> file_;
  uint64_t size_ = 0;
};

// Closing is two steps, because a start must not wait for the disk. The first writes the footer
// behind the frames; where it failed before, it begins again. The second syncs and gives the file
// the name of a closed one.
absl::Status write_footer(base::FileSystem& files, const std::filesystem::path& path,
                          uint64_t frames_end, const Footer& footer);
absl::Status settle_segment(base::FileSystem& files, const std::filesystem::path& directory,
                            SegmentKind kind, uint32_t number);

// A closed segment.
struct ClosedSegment {
  std::filesystem::path path;
  SegmentHeader header;
  Footer footer;
  std::shared_ptr<const base::MappedFile> file;
};

using ClosedSegmentPtr = std::shared_ptr<const ClosedSegment>;

// A frame that was read, and the file that it lies in.
struct ReadFrame {
  std::shared_ptr<const base::MappedFile> file;
  Frame frame;
};

// All segments of a log, to read from.
class Segments {
 public:
  explicit Segments(std::filesystem::path directory) : directory_(std::move(directory)) {}

  const std::filesystem::path& directory() const { return directory_; }
  void add_open(SegmentKind kind, uint32_t number);
  // The file has its footer; `suffix` says whether it is settled. DATA_LOSS where the footer is not
  // whole.
  absl::Status add_closed(SegmentKind kind, uint32_t number, std::string_view suffix);
  void remove(uint32_t number);

  bool contains(uint32_t number) const;
  // NOT_FOUND where there is none.
  absl::StatusOr<ClosedSegmentPtr> closed(uint32_t number) const;
  // Oldest first.
  std::vector<ClosedSegmentPtr> all_closed(SegmentKind kind) const;

  // Of all segments of a kind, open ones too; ascending.
  std::vector<uint32_t> numbers(SegmentKind kind) const;
  // The file as it is now, of a closed segment or an open one. NOT_FOUND where it is gone.
  absl::StatusOr<std::shared_ptr<const base::MappedFile>> map(uint32_t number) const;

  // NOT_FOUND where the segment is gone, DATA_LOSS where no whole frame stands there.
  absl::StatusOr<ReadFrame> read(uint32_t number, uint64_t offset) const;

 private:
  struct Open {
    SegmentKind kind;
    std::shared_ptr<const base::MappedFile> file;  // as much as was there when last looked at
  };
  absl::StatusOr<std::shared_ptr<const base::MappedFile>> map_open(uint32_t number,
                                                                   uint64_t offset) const;

  const std::filesystem::path directory_;
  mutable std::mutex mutex_;
  mutable std::map<uint32_t, Open> open_;
  std::map<uint32_t, ClosedSegmentPtr> closed_;
};

// The layouts of a segment by their numbers; those whose frames are damaged are left out.
std::unordered_map<uint32_t, Layout> read_layouts(const ClosedSegment& segment);

}  // namespace cromford::feedback
