#include "feedback/segment.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "feedback/codec.h"

namespace cromford::feedback {
namespace {

constexpr std::string_view kKindNames[] = {"", "predictions-", "outcomes-"};
constexpr size_t kNumberDigits = 10;

}  // namespace

std::string segment_name(SegmentKind kind, uint32_t number, std::string_view suffix) {
  return fmt::format("{}{:010}{}", kKindNames[static_cast<size_t>(kind)], number, suffix);
}

std::optional<SegmentName> parse_segment_name(std::string_view name) {
  for (const SegmentKind kind : {SegmentKind::kPredictions, SegmentKind::kOutcomes}) {
    const std::string_view prefix = kKindNames[static_cast<size_t>(kind)];
    if (!name.starts_with(prefix) || name.size() < prefix.size() + kNumberDigits) {
      continue;
    }
    const auto number = base::to_number<uint32_t>(name.substr(prefix.size(), kNumberDigits));
    const std::string_view suffix = name.substr(prefix.size() + kNumberDigits);
    if (number && (suffix == kOpenSuffix || suffix == kClosedSuffix || suffix == kIndexSuffix)) {
      return SegmentName{kind, *number, std::string(suffix)};
    }
  }
  return std::nullopt;
}

absl::StatusOr<OpenSegment> OpenSegment::create(base::FileSystem& files,
                                                const std::filesystem::path& directory,
                                                const SegmentHeader& header,
                                                Durability durability) {
  OpenSegment segment;
  segment.files_ = &files;
  segment.path_ = directory / segment_name(header.kind, header.number, kOpenSuffix);
  segment.header_ = header;
  const auto write = [&]() -> absl::Status {
    TRY(segment.file_, files.open_write(segment.path_));
    const std::string bytes = encode_header(header);
    segment.seed_ = frame_seed(bytes);
    segment.size_ = bytes.size();
    TRY(segment.file_->write(bytes));
    if (durability == Durability::kDisk) {
      TRY(segment.file_->sync());
      TRY(files.sync_directory(directory));
    }
    return absl::OkStatus();
  };
  absl::Status status = write();
  if (!status.ok()) {
    (void)files.remove(segment.path_);
    return status;
  }
  return segment;
}

absl::Status OpenSegment::append(std::string& frames) {
  seal_frames(frames, seed_);
  absl::Status status = file_->write(frames);
  if (!status.ok()) {
    cut(size_);
    return status;
  }
  size_ += frames.size();
  return absl::OkStatus();
}

void OpenSegment::cut(uint64_t bytes) {
  size_ = bytes;
  const absl::Status status = files_->truncate(path_, bytes);
  if (!status.ok()) {
    base::log_warning("cannot cut a failed write off the log",
                      {{"file", path_.string()}, {"error", base::describe(status)}});
  }
}

absl::Status write_footer(base::FileSystem& files, const std::filesystem::path& path,
                          uint64_t frames_end, const Footer& footer) {
  uint32_t seed = 0;
  {
    TRY(const base::MappedFile file, base::MappedFile::open(path));
    TRY(decode_header(file.text()));
    seed = frame_seed(file.text());
  }
  TRY(files.truncate(path, frames_end));
  TRY(const std::unique_ptr<base::File> file, files.open_append(path));
  TRY(file->write(encode_footer(footer, seed)));
  return file->close();
}

absl::Status settle_segment(base::FileSystem& files, const std::filesystem::path& directory,
                            SegmentKind kind, uint32_t number) {
  const auto path = directory / segment_name(kind, number, kOpenSuffix);
  TRY(files.sync_file(path));
  TRY(files.rename(path, directory / segment_name(kind, number, kClosedSuffix)));
  return files.sync_directory(directory);
}

void Segments::add_open(SegmentKind kind, uint32_t number) {
  const std::lock_guard lock(mutex_);
  open_[number] = {kind, nullptr};
}

absl::Status Segments::add_closed(SegmentKind kind, uint32_t number, std::string_view suffix) {
  ClosedSegment segment;
  segment.path = directory_ / segment_name(kind, number, suffix);
  TRY(base::MappedFile file, base::MappedFile::open(segment.path));
  TRY(segment.header, decode_header(file.text()));
  TRY(segment.footer, read_footer(file.text()));
  if (segment.header.kind != kind || segment.header.number != number) {
    return base::damaged(fmt::format("{} is another segment", segment.path.string()));
  }
  segment.file = std::make_shared<const base::MappedFile>(std::move(file));
  const std::lock_guard lock(mutex_);
  open_.erase(number);
  closed_[number] = std::make_shared<const ClosedSegment>(std::move(segment));
  return absl::OkStatus();
}

void Segments::remove(uint32_t number) {
  const std::lock_guard lock(mutex_);
  open_.erase(number);
  closed_.erase(number);
}

bool Segments::contains(uint32_t number) const {
  const std::lock_guard lock(mutex_);
  return closed_.contains(number) || open_.contains(number);
}

absl::StatusOr<ClosedSegmentPtr> Segments::closed(uint32_t number) const {
  const std::lock_guard lock(mutex_);
  const auto found = closed_.find(number);
  if (found == closed_.end()) {
    return base::not_found(fmt::format("the log has no closed segment {}", number));
  }
  return found->second;
}

std::vector<ClosedSegmentPtr> Segments::all_closed(SegmentKind kind) const {
  const std::lock_guard lock(mutex_);
  std::vector<ClosedSegmentPtr> segments;
  for (const auto& [number, segment] : closed_) {
    if (segment->header.kind == kind) {
      segments.push_back(segment);
    }
  }
  return segments;
}

std::vector<uint32_t> Segments::numbers(SegmentKind kind) const {
  const std::lock_guard lock(mutex_);
  std::vector<uint32_t> numbers;
  for (const auto& [number, segment] : closed_) {
    if (segment->header.kind == kind) {
      numbers.push_back(number);
    }
  }
  for (const auto& [number, open] : open_) {
    if (open.kind == kind) {
      numbers.push_back(number);
    }
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

absl::StatusOr<std::shared_ptr<const base::MappedFile>> Segments::map(uint32_t number) const {
  const std::lock_guard lock(mutex_);
  if (const auto closed = closed_.find(number); closed != closed_.end()) {
    return closed->second->file;
  }
  // No frame stands at its end, so that the file is mapped anew.
  return map_open(number, std::numeric_limits<uint64_t>::max());
}

absl::StatusOr<std::shared_ptr<const base::MappedFile>> Segments::map_open(uint32_t number,
                                                                           uint64_t offset) const {
  const auto found = open_.find(number);
  if (found == open_.end()) {
    return base::not_found(fmt::format("the log has no segment {}", number));
  }
  Open& open = found->second;
  Frame frame;
  // Mapped again only when the frame is not yet whole in what was mapped before.
  if (open.file == nullptr ||
      !read_frame(open.file->text(), frame_seed(open.file->text()), offset, frame)) {
    auto file = base::MappedFile::open(directory_ / segment_name(open.kind, number, kOpenSuffix));
    if (!file.ok()) {  // It is being closed, and has its new name already.
      file = base::MappedFile::open(directory_ / segment_name(open.kind, number, kClosedSuffix));
    }
    TRY(file);
    TRY(decode_header(file->text()));
    open.file = std::make_shared<const base::MappedFile>(std::move(*file));
  }
  return open.file;
}

absl::StatusOr<ReadFrame> Segments::read(uint32_t number, uint64_t offset) const {
  ReadFrame result;
  {
    const std::lock_guard lock(mutex_);
    const auto closed = closed_.find(number);
    if (closed != closed_.end()) {
      result.file = closed->second->file;
    } else {
      TRY(result.file, map_open(number, offset));
    }
  }
  const std::string_view text = result.file->text();
  if (!read_frame(text, frame_seed(text), offset, result.frame)) {
    return base::damaged(fmt::format("segment {} has no whole record at {}", number, offset));
  }
  return result;
}

std::unordered_map<uint32_t, Layout> read_layouts(const ClosedSegment& segment) {
  std::unordered_map<uint32_t, Layout> layouts;
  const std::string_view text = segment.file->text();
  for (const uint64_t offset : segment.footer.layouts) {
    Frame frame;
    if (read_frame(text, frame_seed(text), offset, frame) && frame.type == FrameType::kLayout) {
      auto layout = decode_layout(frame.payload);
      if (layout.ok()) {
        layouts[layout->number] = std::move(layout->layout);
      }
    }
  }
  return layouts;
}

}  // namespace cromford::feedback
