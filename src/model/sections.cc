#include "model/sections.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_set>
#include <utility>

#include "base/status.h"
#include "base/text.h"
#include "model/bytes.h"
#include "model/checks.h"

namespace cromford::model {
namespace {

constexpr double kWeightMax = 1e6;

// What a check of given parts calls invalid is damage where it comes from a file.
absl::Status as_damaged(const absl::Status& status) {
  return status.ok() ? status : base::damaged(base::message(status), base::remedy(status));
}

absl::Status check_classes(const Head& head) {
  const size_t count = head.classes.size();
  const bool fits = (head.task == Task::kBinary && count == 2) ||
                    (head.task == Task::kMulticlass && count >= 2) ||
                    (head.task == Task::kRegression && count == 0);
  if (!fits) {
    return base::damaged(fmt::format("{} classes for the task {}", count, task_name(head.task)),
                         "binary takes two classes, multiclass at least two, regression none");
  }
  std::unordered_set<std::string_view> names;
  for (const std::string& name : head.classes) {
    if (!base::is_utf8(name) || !names.insert(name).second) {
      return base::damaged("two classes have one name, or a name is not UTF-8");
    }
  }
  return absl::OkStatus();
}

absl::Status check_contract(const Contract& contract) {
  std::unordered_set<std::string_view> names;
  for (size_t i = 0; i < contract.size(); ++i) {
    const std::string& name = contract[i].name;
    if (name.empty() || !base::is_utf8(name) || !names.insert(name).second) {
      return base::damaged(
          fmt::format("the name of column {} is empty, not UTF-8, or that of another column", i));
    }
    if (!input_type_by_name(input_type_name(contract[i].type))) {
      return base::damaged(fmt::format("the type of column '{}' does not exist", name));
    }
  }
  return absl::OkStatus();
}

absl::Status check_features(std::span<const uint32_t> features, size_t feature_count) {
  std::vector<bool> seen(feature_count, false);
  for (const uint32_t feature : features) {
    if (feature >= feature_count || seen[feature]) {
      return base::damaged(
          fmt::format("it reads feature {} of {}, or twice", feature, feature_count));
    }
    seen[feature] = true;
  }
  return absl::OkStatus();
}

absl::Status load_body(PredictorKind kind, const Players& players, ByteReader& in, Member& member) {
  const auto feature_count = static_cast<uint32_t>(member.features.size());
  if (kind == PredictorKind::kForest) {
    TRY(member.forest, Forest::load(feature_count, in));
  } else if (kind == PredictorKind::kLinear) {
    TRY(member.linear, Linear::load(feature_count, in));
  } else {
    return base::damaged(fmt::format("its kind {} does not exist", static_cast<uint32_t>(kind)));
  }
  if (!in.finished()) {
    return base::damaged("there are bytes behind it, or some are missing");
  }
  if (member.forest) {
    member.kernel.emplace(*member.forest, member.features);
    member.explainer.emplace(*member.forest, member.players, players.count);
  }
  return absl::OkStatus();
}

absl::Status read_member(ByteReader& in, const Head& head, const FeaturePipeline& pipeline,
                         const Players& players, Member& member) {
  const auto kind = static_cast<PredictorKind>(in.get<uint32_t>());
  const auto role = in.get<uint32_t>();
  member.weight = in.get<double>();
  member.name = std::string(in.text());
  const uint32_t feature_count = in.count(sizeof(uint32_t));
  const auto features = in.array<uint32_t>(feature_count);
  in.align(8);
  if (!in.ok() || role > 1 || !base::is_utf8(member.name)) {
    return base::damaged("its head is malformed");
  }
  if (!(std::abs(member.weight) <= kWeightMax)) {
    return base::damaged(fmt::format("its weight is not finite or larger than {}", kWeightMax));
  }
  TRY(check_features(features, pipeline.feature_count()));
  member.role = static_cast<PredictorRole>(role);
  member.features.assign(features.begin(), features.end());
  for (const uint32_t feature : features) {
    member.players.push_back(players.of_feature[feature]);
  }
  TRY(load_body(kind, players, in, member));
  const uint32_t outputs =
      member.forest ? member.forest->output_count() : member.linear->output_count();
  const uint32_t expected = member.role == PredictorRole::kScale ? 1 : head.output_count();
  if (outputs != expected) {
    return base::damaged(fmt::format("it has {} outputs, and the model {}", outputs, expected));
  }
  return absl::OkStatus();
}

}  // namespace

Players players_of(const FeaturePipeline& pipeline, size_t column_count) {
  Players players;
  std::map<std::pair<uint32_t, uint32_t>, uint32_t> known;
  for (const FeatureOrigin& origin : pipeline.feature_origins()) {
    if (origin.first == origin.second) {
      players.of_feature.push_back(origin.first);
      continue;
    }
    const auto [place, fresh] =
        known.try_emplace(std::minmax(origin.first, origin.second),
                          static_cast<uint32_t>(column_count + players.pairs.size()));
    if (fresh) {
      players.pairs.push_back(origin);
    }
    players.of_feature.push_back(place->second);
  }
  players.count = static_cast<uint32_t>(column_count + players.pairs.size());
  return players;
}

absl::StatusOr<Head> decode_head(std::span<const std::byte> bytes) {
  ByteReader in(bytes);
  Head head;
  const auto task = in.get<uint32_t>();
  head.target = std::string(in.text());
  const uint32_t class_count = in.count(sizeof(uint32_t));
  for (uint32_t i = 0; i < class_count && in.ok(); ++i) {
    head.classes.emplace_back(in.text());
  }
  const uint32_t column_count = in.count(2 * sizeof(uint32_t));
  for (uint32_t i = 0; i < column_count && in.ok(); ++i) {
    InputColumn column;
    const auto type = in.get<uint32_t>();
    column.type = static_cast<InputType>(type <= 255 ? type : 0);
    column.name = std::string(in.text());
    head.contract.push_back(std::move(column));
  }
  if (!in.finished()) {
    return base::damaged("it does not fit its section");
  }
  if (class_count > kClassCountMax || column_count > kColumnCountMax) {
    return base::damaged(fmt::format("{} classes and {} columns; the limits are {} and {}",
                                     class_count, column_count, kClassCountMax, kColumnCountMax));
  }
  if (task < 1 || task > 3 || !base::is_utf8(head.target)) {
    return base::damaged("its task does not exist, or its target is not UTF-8");
  }
  head.task = static_cast<Task>(task);
  TRY(check_classes(head));
  TRY(check_contract(head.contract));
  return head;
}

absl::StatusOr<FeaturePipeline> decode_pipeline(std::span<const std::byte> bytes,
                                                const Head& head) {
  ByteReader in(bytes);
  TRY(FeaturePipeline pipeline, FeaturePipeline::load(head.contract, in));
  if (!in.finished()) {
    return base::damaged("it does not fit its section");
  }
  return pipeline;
}

absl::StatusOr<std::unique_ptr<Member>> decode_member(std::span<const std::byte> bytes,
                                                      const Head& head,
                                                      const FeaturePipeline& pipeline,
                                                      const Players& players) {
  ByteReader in(bytes);
  auto member = std::make_unique<Member>();
  const absl::Status status = read_member(in, head, pipeline, players, *member);
  if (!status.ok()) {
    return base::annotate(
        status, fmt::format("predictor '{}'", base::is_utf8(member->name) ? member->name : "?"));
  }
  return member;
}

absl::StatusOr<Answer> decode_answer(std::span<const std::byte> bytes, const Head& head) {
  ByteReader in(bytes);
  Answer answer;
  const auto link = in.get<uint32_t>();
  const auto calibration_kind = in.get<uint32_t>();
  const uint32_t scale_count = in.count(2 * sizeof(double));
  const auto interval_kind = in.get<uint32_t>();
  const auto scale = in.array<double>(scale_count);
  const auto offset = in.array<double>(scale_count);
  answer.calibration.square = in.get<double>();
  answer.interval.coverage = in.get<double>();
  answer.interval.below = in.get<double>();
  answer.interval.above = in.get<double>();
  answer.interval.floor = in.get<double>();
  answer.threshold = in.get<double>();
  if (!in.finished() || link > 255 || calibration_kind > 255 || interval_kind > 255) {
    return base::damaged("it does not fit its section");
  }
  answer.link = static_cast<Link>(link);
  answer.calibration.kind = static_cast<CalibrationKind>(calibration_kind);
  answer.calibration.scale.assign(scale.begin(), scale.end());
  answer.calibration.offset.assign(offset.begin(), offset.end());
  answer.interval.kind = static_cast<IntervalKind>(interval_kind);
  TRY(as_damaged(check_link(answer.link, head.task)));
  TRY(as_damaged(check_calibration(answer.calibration, head.task, head.output_count())));
  TRY(as_damaged(check_interval(answer.interval, head.task)));
  if (!(answer.threshold > 0.0 && answer.threshold < 1.0)) {
    return base::damaged("the threshold is not between 0 and 1");
  }
  return answer;
}

absl::StatusOr<Baseline> decode_checked_baseline(std::span<const std::byte> bytes, const Head& head,
                                                 const FeaturePipeline& pipeline) {
  ByteReader in(bytes);
  Baseline baseline = decode_baseline(in);
  if (!in.finished()) {
    return base::damaged("it does not fit its section");
  }
  TRY(as_damaged(check_baseline(baseline, head.contract, pipeline, head.output_count())));
  return baseline;
}

absl::StatusOr<base::Json> decode_manifest(std::span<const std::byte> bytes) {
  if (bytes.size() > kManifestBytesMax) {
    return base::damaged(
        fmt::format("it has {} bytes; the limit is {}", bytes.size(), kManifestBytesMax));
  }
  absl::StatusOr<base::Json> manifest =
      base::parse_json(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  if (!manifest.ok()) {
    return as_damaged(manifest.status());
  }
  if (!manifest->is_object()) {
    return base::damaged("it is not a JSON object");
  }
  return manifest;
}

}  // namespace cromford::model
