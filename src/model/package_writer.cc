#include "model/package_writer.h"

#include <fmt/format.h>

#include <variant>

#include "base/status.h"
#include "model/bytes.h"
#include "model/checks.h"
#include "model/features/pipeline.h"
#include "model/forest/forest.h"
#include "model/format.h"
#include "model/package.h"
#include "model/sections.h"

namespace cromford::model {
namespace {

Section section(SectionKind kind, uint32_t index, ByteWriter& out) {
  return {.kind = kind, .index = index, .bytes = out.take()};
}

void encode_model(const PackageParts& parts, ByteWriter& out) {
  out.put(static_cast<uint32_t>(parts.task));
  out.text(parts.target);
  out.put(static_cast<uint32_t>(parts.classes.size()));
  for (const std::string& name : parts.classes) {
    out.text(name);
  }
  out.put(static_cast<uint32_t>(parts.contract.size()));
  for (const InputColumn& column : parts.contract) {
    out.put(static_cast<uint32_t>(column.type));
    out.text(column.name);
  }
}

absl::Status encode_predictor(const PredictorParts& parts, ByteWriter& out) {
  const bool is_forest = std::holds_alternative<ForestParts>(parts.body);
  const auto feature_count = static_cast<uint32_t>(parts.features.size());
  out.put(static_cast<uint32_t>(is_forest ? PredictorKind::kForest : PredictorKind::kLinear));
  out.put(static_cast<uint32_t>(parts.role));
  out.put(parts.weight);
  out.text(parts.name);
  out.put(feature_count);
  out.array<uint32_t>(parts.features);
  out.align(8);
  return is_forest ? Forest::encode(std::get<ForestParts>(parts.body), feature_count, out)
                   : Linear::encode(std::get<LinearParts>(parts.body), feature_count, out);
}

void encode_answer(const PackageParts& parts, ByteWriter& out) {
  const Calibration& calibration = parts.calibration;
  const Interval& interval = parts.interval;
  out.put(static_cast<uint32_t>(parts.link));
  out.put(static_cast<uint32_t>(calibration.kind));
  out.put(static_cast<uint32_t>(calibration.scale.size()));
  out.put(static_cast<uint32_t>(interval.kind));
  out.array<double>(calibration.scale);
  out.array<double>(calibration.offset);
  for (const double value : {calibration.square, interval.coverage, interval.below, interval.above,
                             interval.floor, parts.threshold}) {
    out.put(value);
  }
}

absl::StatusOr<std::vector<Section>> encode_sections(const PackageParts& parts) {
  std::vector<Section> sections;
  ByteWriter out;
  encode_model(parts, out);
  sections.push_back(section(SectionKind::kModel, 0, out));
  TRY(FeaturePipeline::encode(parts.pipeline, out));
  sections.push_back(section(SectionKind::kPipeline, 0, out));
  for (uint32_t i = 0; i < parts.predictors.size(); ++i) {
    const absl::Status status = encode_predictor(parts.predictors[i], out);
    if (!status.ok()) {
      return base::annotate(status, fmt::format("predictor '{}'", parts.predictors[i].name));
    }
    sections.push_back(section(SectionKind::kPredictor, i, out));
  }
  if (parts.calibration.scale.size() != parts.calibration.offset.size()) {
    return base::invalid("the calibration has not as many offsets as scales");
  }
  encode_answer(parts, out);
  sections.push_back(section(SectionKind::kAnswer, 0, out));
  encode_baseline(parts.baseline, out);
  sections.push_back(section(SectionKind::kBaseline, 0, out));
  out.array<char>(parts.manifest);
  sections.push_back(section(SectionKind::kManifest, 0, out));
  return sections;
}

}  // namespace

absl::StatusOr<std::vector<std::byte>> write_package(const PackageParts& parts) {
  TRY(const std::vector<Section> sections, encode_sections(parts));
  std::vector<std::byte> file = write_frame(sections);
  // The checks of loading are the checks of writing: nothing is written that will not load.
  const auto loaded = Package::load(std::span<const std::byte>(file), nullptr);
  if (!loaded.ok()) {
    return as_invalid(loaded.status());
  }
  return file;
}

}  // namespace cromford::model
