#include "feedback/compaction.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/file_system.h"
#include "base/hash.h"
#include "base/status.h"
#include "base/text.h"
#include "feedback/codec.h"
#include "feedback/log_access.h"
#include "table/csv_to_parquet.h"

namespace cromford::feedback {
namespace {

constexpr size_t kPieceBytes = 1U << 20;
// What rows of all layouts of an endpoint have in common.
class PartSchema {
 public:
  // INVALID_ARGUMENT where the layout contradicts those before.
  absl::Status add(const Layout& layout);
  // After the last `add`.
  table::Schema finish();

  const std::vector<table::ColumnSchema>& raw() const { return raw_; }
  const std::vector<std::string>& classes() const { return classes_; }
  bool is_boolean() const;
  // Then `probability` is that of the second class, the positive one.
  bool is_binary() const { return classes_.size() == 2; }

 private:
  std::string unique(std::string name);

  std::vector<table::ColumnSchema> raw_;
  std::vector<std::string> classes_;
  std::optional<bool> is_regression_;
  std::set<std::string> taken_;
};

absl::Status PartSchema::add(const Layout& layout) {
  if (is_regression_.value_or(layout.classes.empty()) != layout.classes.empty()) {
    return base::invalid(
        fmt::format("{} answered with classes and with numbers in these segments", layout.endpoint),
        "compact them apart");
  }
  is_regression_ = layout.classes.empty();
  for (const std::string& name : layout.classes) {
    if (std::find(classes_.begin(), classes_.end(), name) == classes_.end()) {
      classes_.push_back(name);
    }
  }
  for (const table::ColumnSchema& column : layout.columns) {
    const auto known = std::find_if(raw_.begin(), raw_.end(),
                                    [&](const auto& other) { return other.name == column.name; });
    if (known == raw_.end()) {
      raw_.push_back(column);
    } else if (known->type != column.type) {
      return base::invalid(fmt::format("the column '{}' is of type {} and of type {} in these "
                                       "segments",
                                       column.name, table::column_type_name(known->type),
                                       table::column_type_name(column.type)),
                           "compact them apart");
    }
  }
  return absl::OkStatus();
}

bool PartSchema::is_boolean() const {
  return !classes_.empty() && std::all_of(classes_.begin(), classes_.end(), [](const auto& name) {
    return name == "true" || name == "false";
  });
}

std::string PartSchema::unique(std::string name) {
  const std::string wanted = name;
  for (int n = 2; !taken_.insert(base::lower(name)).second; ++n) {
    name = fmt::format("{}_{}", wanted, n);
  }
  return name;
}

table::Schema PartSchema::finish() {
  const ColumnType value = classes_.empty() ? ColumnType::kNumber
                           : is_boolean()   ? ColumnType::kBoolean
                                            : ColumnType::kText;
  table::Schema schema{{{"id", ColumnType::kText},
                        {"at", ColumnType::kTimestamp},
                        {"model_version", ColumnType::kInteger},
                        {"variant", ColumnType::kText},
                        {"value", value}}};
  if (is_binary()) {
    schema.columns.push_back({"probability", ColumnType::kNumber});
  }
  schema.columns.push_back({"latency_us", ColumnType::kInteger});
  schema.columns.push_back({"outcome", value});
  schema.columns.push_back({"outcome_at", ColumnType::kTimestamp});
  std::vector<table::ColumnSchema> last;
  if (classes_.empty()) {
    last = {{"lower", ColumnType::kNumber}, {"upper", ColumnType::kNumber}};
  } else if (!is_binary()) {
    for (const std::string& name : classes_) {
      last.push_back({"probability_" + name, ColumnType::kNumber});
    }
  }
  last.push_back({"arrived_at", ColumnType::kTimestamp});
  for (const char* const name : {"model", "endpoint", "key"}) {
    last.push_back({name, ColumnType::kText});
  }
  for (std::vector<table::ColumnSchema>* own : {&schema.columns, &last}) {
    for (table::ColumnSchema& column : *own) {
      column.name = unique(column.name);
    }
  }
  for (const table::ColumnSchema& column : raw_) {
    const bool clashes = taken_.contains(base::lower(column.name));
    schema.columns.push_back({unique((clashes ? "input_" : "") + column.name), column.type});
  }
  schema.columns.insert(schema.columns.end(), last.begin(), last.end());
  return schema;
}

// One row of CSV after the other.
class CsvWriter {
 public:
  explicit CsvWriter(base::File& file) : file_(file) {}

  void missing() { separate(); }
  void text(std::string_view value) {
    separate();
    row_ += '"';
    for (const char c : value) {
      row_.append(c == '"' ? 2 : 1, c);
    }
    row_ += '"';
  }
  void plain(std::string_view value) {
    separate();
    row_ += value;
  }
  void number(double value) {
    separate();
    if (std::isfinite(value)) {
      base::append_number(row_, value);
    }
  }
  void integer(int64_t value) {
    separate();
    base::append_number(row_, value);
  }
  void time(base::Time value) { plain(table::format_timestamp(value.time_since_epoch().count())); }
  absl::Status end_row() {
    row_ += '\n';
    is_first_ = true;
    return row_.size() < kPieceBytes ? absl::OkStatus() : flush();
  }
  absl::Status flush() {
    const absl::Status status = file_.write(row_);
    row_.clear();
    return status;
  }

 private:
  void separate() {
    if (!std::exchange(is_first_, false)) {
      row_ += ',';
    }
  }

  base::File& file_;
  std::string row_;
  bool is_first_ = true;
};

// A raw value as the log keeps it, by the type of its column.
void put_number(CsvWriter& csv, ColumnType type, double value) {
  if (!std::isfinite(value)) {
    csv.missing();
    return;
  }
  switch (type) {
    case ColumnType::kBoolean:
      return csv.plain(value != 0 ? "true" : "false");
    case ColumnType::kInteger:
      return std::abs(value) < 9e18 ? csv.integer(std::llround(value)) : csv.missing();
    case ColumnType::kDate:
      return csv.plain(table::format_date(static_cast<int64_t>(std::floor(value / 86'400))));
    case ColumnType::kTimestamp:
      return csv.plain(table::format_timestamp(std::llround(value * 1e6)));
    default:
      return csv.number(value);
  }
}

// How the values of one layout stand in a part's row.
struct LayoutPlan {
  const Layout* layout = nullptr;
  LayoutShape shape;
  std::vector<std::optional<size_t>> raw;      // by column of the part: of numbers or texts
  std::vector<std::optional<size_t>> classes;  // by class of the part: of the answer
};

LayoutPlan plan_of(const Layout& layout, const PartSchema& part) {
  LayoutPlan plan{.layout = &layout, .shape = shape_of(layout), .raw = {}, .classes = {}};
  std::map<std::string, size_t> places;
  size_t numbers = 0;
  size_t texts = 0;
  for (const table::ColumnSchema& column : layout.columns) {
    places[column.name] = column.type == ColumnType::kText ? texts++ : numbers++;
  }
  for (const table::ColumnSchema& column : part.raw()) {
    const auto place = places.find(column.name);
    plan.raw.push_back(place == places.end() ? std::nullopt : std::optional(place->second));
  }
  for (const std::string& name : part.classes()) {
    const auto found = std::find(layout.classes.begin(), layout.classes.end(), name);
    plan.classes.push_back(found == layout.classes.end() ? std::nullopt
                                                         : std::optional(static_cast<size_t>(
                                                               found - layout.classes.begin())));
  }
  return plan;
}

class Compaction {
 public:
  Compaction(LogAccess& log, const CompactOptions& options)
      : log_(log), core_(log.core()), options_(options) {}

  absl::StatusOr<CompactedPart> run(const std::filesystem::path& csv);

 private:
  absl::Status find_segments();
  absl::Status write_csv(const std::filesystem::path& path);
  absl::Status write_segment(size_t position, CsvWriter& csv);
  absl::Status write_row(const LayoutPlan& plan, const PredictionView& view, CsvWriter& csv);
  absl::StatusOr<bool> is_first(const ClosedSegment& segment, const Frame& frame,
                                const PredictionView& view);
  absl::Status put_outcome(std::string_view id, CsvWriter& csv);
  void put_value(const LayoutPlan& plan, const PredictionView& view, CsvWriter& csv);
  void put_answer(const std::optional<size_t>& place, CsvWriter& csv);
  void put_row(const LayoutPlan& plan, CsvWriter& csv);

  LogAccess& log_;
  Core& core_;
  const CompactOptions& options_;
  std::vector<ClosedSegmentPtr> segments_;
  std::vector<std::unordered_map<uint32_t, Layout>> layouts_;  // by position in `segments_`
  std::unordered_map<const Layout*, LayoutPlan> plans_;
  PartSchema schema_;
  PredictionValues values_;
  std::vector<IndexEntry> found_;
  CompactedPart part_;
};

absl::Status Compaction::find_segments() {
  for (const uint32_t number : options_.segments) {
    TRY(ClosedSegmentPtr segment, core_.segments.closed(number));
    layouts_.push_back(read_layouts(*segment));
    std::erase_if(layouts_.back(),
                  [&](const auto& entry) { return entry.second.endpoint != options_.endpoint; });
    segments_.push_back(std::move(segment));
    std::map<uint32_t, const Layout*> in_order;
    for (const auto& [layout_number, layout] : layouts_.back()) {
      in_order[layout_number] = &layout;
    }
    for (const auto& [layout_number, layout] : in_order) {
      TRY(schema_.add(*layout));
    }
  }
  part_.schema = schema_.finish();
  for (const auto& layouts : layouts_) {
    for (const auto& [number, layout] : layouts) {
      plans_[&layout] = plan_of(layout, schema_);
    }
  }
  return absl::OkStatus();
}

// Whether no earlier prediction has this id.
absl::StatusOr<bool> Compaction::is_first(const ClosedSegment& segment, const Frame& frame,
                                          const PredictionView& view) {
  found_.clear();
  core_.joiner.find(SegmentKind::kPredictions,
                    fingerprint(endpoint_seed(options_.endpoint), view.id), found_);
  if (found_.size() < 2) {
    return true;
  }
  const auto place = std::pair(segment.header.number, static_cast<uint32_t>(frame.offset / 8));
  const IndexEntry own{found_[0].fingerprint, 0, view.arrival_time.time_since_epoch().count(),
                       place.first, place.second};
  for (const IndexEntry& other : found_) {
    if (!before(other, own)) {
      continue;
    }
    const auto read = core_.segments.read(other.segment, uint64_t{other.offset} * 8);
    const auto other_view = read.ok() ? view_prediction(read->frame.payload)
                                      : absl::StatusOr<PredictionView>(read.status());
    if (other_view.ok() && other_view->id == view.id) {
      return false;
    }
  }
  return true;
}

absl::Status Compaction::put_outcome(std::string_view id, CsvWriter& csv) {
  TRY(const std::vector<Outcome> outcomes, log_.outcomes_of(options_.endpoint, id));
  const bool fits = !outcomes.empty() && outcomes.front().is_number == schema_.classes().empty();
  if (!fits) {
    csv.missing();
    csv.missing();
    return absl::OkStatus();
  }
  const Outcome& outcome = outcomes.front();
  if (outcome.is_number) {
    csv.number(outcome.number);
  } else {
    csv.text(outcome.text);
  }
  csv.time(outcome.at);
  ++part_.joined_count;
  return absl::OkStatus();
}

void Compaction::put_value(const LayoutPlan& plan, const PredictionView& view, CsvWriter& csv) {
  if (schema_.classes().empty()) {
    csv.number(values_.answer.front());
    return;
  }
  csv.text(plan.layout->classes[static_cast<size_t>(view.label)]);
  if (schema_.is_binary()) {
    put_answer(plan.classes[1], csv);
  }
}

void Compaction::put_answer(const std::optional<size_t>& place, CsvWriter& csv) {
  place && *place < values_.answer.size() ? csv.number(values_.answer[*place]) : csv.missing();
}

void Compaction::put_row(const LayoutPlan& plan, CsvWriter& csv) {
  for (size_t i = 0; i < plan.raw.size(); ++i) {
    const ColumnType type = schema_.raw()[i].type;
    const bool is_text = type == ColumnType::kText;
    if (!plan.raw[i] || (is_text && values_.texts[*plan.raw[i]].data() == nullptr)) {
      csv.missing();
    } else if (!is_text) {
      put_number(csv, type, values_.numbers[*plan.raw[i]]);
    } else {
      csv.text(values_.texts[*plan.raw[i]]);
    }
  }
}

// In the order of PartSchema::finish().
absl::Status Compaction::write_row(const LayoutPlan& plan, const PredictionView& view,
                                   CsvWriter& csv) {
  TRY(decode_values(view, plan.shape, values_));
  csv.text(view.id);
  csv.time(view.event_time);
  csv.integer(plan.layout->model_version);
  csv.text(plan.layout->variant);
  put_value(plan, view, csv);
  csv.integer(view.latency_us);
  TRY(put_outcome(view.id, csv));
  put_row(plan, csv);
  if (schema_.classes().empty()) {
    put_answer(1, csv);
    put_answer(2, csv);
  } else if (!schema_.is_binary()) {
    for (const std::optional<size_t>& place : plan.classes) {
      put_answer(place, csv);
    }
  }
  csv.time(view.arrival_time);
  csv.text(plan.layout->model);
  csv.text(plan.layout->endpoint);
  view.key.empty() ? csv.missing() : csv.text(view.key);
  ++part_.row_count;
  return csv.end_row();
}

absl::Status Compaction::write_segment(size_t position, CsvWriter& csv) {
  const ClosedSegment& segment = *segments_[position];
  const auto& layouts = layouts_[position];
  TRY(SegmentScanner scanner, SegmentScanner::create(segment.file->text()));
  Frame frame;
  while (scanner.next(frame)) {
    if (frame.type != FrameType::kPrediction) {
      continue;
    }
    TRY(options_.cancel.check());
    TRY(const PredictionView view, view_prediction(frame.payload));
    const auto layout = layouts.find(view.layout);
    if (layout == layouts.end()) {
      continue;  // Another endpoint's.
    }
    TRY(const bool first, is_first(segment, frame, view));
    if (first) {
      TRY(write_row(plans_.at(&layout->second), view, csv));
    }
  }
  for (const Gap& gap : scanner.gaps()) {
    part_.damaged_bytes += gap.bytes;
  }
  return absl::OkStatus();
}

absl::Status Compaction::write_csv(const std::filesystem::path& path) {
  TRY(const std::unique_ptr<base::File> file, core_.options.files->open_private(path));
  CsvWriter csv(*file);
  for (const table::ColumnSchema& column : part_.schema.columns) {
    csv.text(column.name);
  }
  TRY(csv.end_row());
  for (size_t position = 0; position < segments_.size(); ++position) {
    TRY(write_segment(position, csv));
  }
  TRY(csv.flush());
  return file->close();
}

absl::StatusOr<CompactedPart> Compaction::run(const std::filesystem::path& csv) {
  log_.take_arrivals();
  TRY(find_segments());
  TRY(write_csv(csv));
  return std::move(part_);
}

// Every log is made by Log::open, and what that makes gives this access.
LogAccess& access(Log& log) {
  return static_cast<LogAccess&>(log);
}

// The segment of the prediction that an outcome is joined to, if there is one.
std::optional<uint32_t> segment_of(Core& core, std::string_view endpoint, std::string_view id,
                                   std::vector<IndexEntry>& found) {
  found.clear();
  core.joiner.find(SegmentKind::kPredictions, fingerprint(endpoint_seed(endpoint), id), found);
  if (found.empty()) {
    return std::nullopt;
  }
  return counting_prediction(found).segment;
}

}  // namespace

absl::StatusOr<CompactedPart> compact_to_csv(Log& log, const CompactOptions& options) {
  return Compaction(access(log), options).run(options.output);
}

absl::StatusOr<CompactedPart> compact(Log& log, table::Engine& engine,
                                      const CompactOptions& options) {
  base::FileSystem& files = *access(log).core().options.files;
  std::filesystem::path csv = options.output;
  csv += ".csv";
  absl::StatusOr<CompactedPart> part = Compaction(access(log), options).run(csv);
  if (part.ok()) {
    const absl::Status status =
        table::csv_to_parquet(engine, csv, part->schema, options.output, options.cancel);
    if (!status.ok()) {
      part = status;
    }
  }
  (void)files.remove(csv);
  return part;
}

absl::StatusOr<LateOutcomes> late_outcomes(Log& log, const std::string& endpoint, uint32_t after) {
  access(log).take_arrivals();
  Core& core = access(log).core();
  LateOutcomes late{.through = after, .by_prediction = {}};
  std::vector<IndexEntry> found;
  for (const ClosedSegmentPtr& segment : core.segments.all_closed(SegmentKind::kOutcomes)) {
    if (segment->header.number <= after) {
      continue;
    }
    late.through = segment->header.number;
    const auto& shares = segment->footer.shares;
    if (std::none_of(shares.begin(), shares.end(),
                     [&](const Footer::Share& share) { return share.endpoint == endpoint; })) {
      continue;
    }
    TRY(SegmentScanner scanner, SegmentScanner::create(segment->file->text()));
    Frame frame;
    while (scanner.next(frame)) {
      if (frame.type != FrameType::kOutcome) {
        continue;
      }
      TRY(const OutcomeView outcome, decode_outcome(frame.payload));
      if (outcome.endpoint != endpoint) {
        continue;
      }
      if (const auto prediction = segment_of(core, endpoint, outcome.id, found)) {
        ++late.by_prediction[*prediction];
      }
    }
  }
  return late;
}

absl::StatusOr<SegmentFacts> segment_facts(Log& log, uint32_t segment) {
  TRY(const ClosedSegmentPtr found, access(log).core().segments.closed(segment));
  const auto bytes = found->file->bytes();
  return SegmentFacts{.name = segment_name(found->header.kind, segment, kClosedSuffix),
                      .size_bytes = bytes.size(),
                      .hash = base::content_hash(bytes).text()};
}

}  // namespace cromford::feedback
