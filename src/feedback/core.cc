#include "feedback/core.h"

#include <utility>

namespace cromford::feedback {
namespace {

constexpr std::chrono::seconds kIdleWait{1};

bool says_the_same(const Segments& segments, const IndexEntry& entry, const OutcomeView& outcome) {
  const auto read = segments.read(entry.segment, uint64_t{entry.offset} * 8);
  if (!read.ok() || read->frame.type != FrameType::kOutcome) {
    return false;
  }
  const auto known = decode_outcome(read->frame.payload);
  return known.ok() && known->id == outcome.id && known->endpoint == outcome.endpoint &&
         known->same_as(outcome);
}

}  // namespace

uint32_t Layouts::declare(const Layout& layout, uint32_t endpoint) {
  const std::lock_guard lock(mutex_);
  for (const DeclaredLayout& known : layouts_) {
    if (known.endpoint == endpoint && known.layout == layout) {
      return known.number;
    }
  }
  DeclaredLayout& added = layouts_.emplace_back();
  added.number = static_cast<uint32_t>(layouts_.size() - 1);
  added.layout = layout;
  added.shape = shape_of(layout);
  added.endpoint = endpoint;
  added.seed = endpoint_seed(layout.endpoint);
  append_layout(added.frame, added.number, layout);
  return added.number;
}

const DeclaredLayout* Layouts::find(uint32_t number) const {
  const std::lock_guard lock(mutex_);
  return number < layouts_.size() ? &layouts_[number] : nullptr;
}

Core::Core(const LogOptions& log_options)
    : options(log_options),
      segments(log_options.directory),
      joiner({.waiting_max = log_options.waiting_max,
              .says_the_same = [this](const IndexEntry& entry, const OutcomeView& outcome) {
                return says_the_same(segments, entry, outcome);
              }}) {}

bool Core::due(uint64_t bytes, uint64_t records, base::Time created_at) const {
  return bytes >= options.segment_bytes || records >= options.segment_records ||
         (records > 0 && options.clock->now() - created_at >= options.segment_age);
}

absl::StatusOr<OpenSegment> Core::create_segment(SegmentKind kind, Durability durability) {
  const SegmentHeader header{kind, next_number.fetch_add(1), options.clock->now()};
  auto segment = OpenSegment::create(*options.files, options.directory, header, durability);
  if (segment.ok()) {
    segments.add_open(kind, header.number);
  }
  return segment;
}

void Core::finish(FinishedSegment segment) {
  {
    const std::lock_guard lock(mutex_);
    finished_.push_back(std::move(segment));
  }
  wake();
}

std::vector<FinishedSegment> Core::take_finished() {
  const std::lock_guard lock(mutex_);
  return std::exchange(finished_, {});
}

void Core::wake() {
  const std::lock_guard lock(mutex_);
  woken_ = true;
  changed_.notify_all();
}

bool Core::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, kIdleWait, [&] { return woken_ || stopped_; });
  woken_ = false;
  return !stopped_;
}

void Core::stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  changed_.notify_all();
}

}  // namespace cromford::feedback
