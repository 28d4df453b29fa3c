#include <fmt/format.h>

#include <variant>

#include "base/status.h"
#include "model/bytes.h"
#include "model/checks.h"
#include "model/features/fitted.h"

namespace cromford::model {
namespace {

template <typename E>
uint32_t number_of(E value) {
  return static_cast<uint32_t>(value);
}

void put_head(TransformKind kind, TransformHead head, ByteWriter& out) {
  head.kind = number_of(kind);
  out.array<TransformHead>({&head, 1});
}

absl::Status encode(const NumberTransform& t, ByteWriter& out) {
  put_head(
      TransformKind::kNumber,
      {.option = number_of(t.scale), .column = t.column, .width = 1, .low = t.low, .high = t.high},
      out);
  return absl::OkStatus();
}

absl::Status encode(const MissingFlag& t, ByteWriter& out) {
  put_head(TransformKind::kMissingFlag, {.column = t.column, .width = 1}, out);
  return absl::OkStatus();
}

absl::Status encode(const CategoryTable& t, ByteWriter& out) {
  put_head(TransformKind::kCategoryTable,
           {.option = number_of(t.kind), .column = t.column, .width = t.width}, out);
  out.put(static_cast<uint32_t>(t.values.size()));
  out.array<float>(t.values);
  return absl::OkStatus();
}

absl::Status encode(const OneHot& t, ByteWriter& out) {
  put_head(TransformKind::kOneHot, {.column = t.column, .width = t.width}, out);
  return absl::OkStatus();
}

absl::Status encode(const DateParts& t, ByteWriter& out) {
  put_head(TransformKind::kDateParts,
           {.column = t.column, .width = static_cast<uint32_t>(t.parts.size())}, out);
  out.array<DatePart>(t.parts);
  return absl::OkStatus();
}

absl::Status encode(const PairTransform& t, ByteWriter& out) {
  put_head(TransformKind::kPair,
           {.option = number_of(t.operation), .column = t.left, .second = t.right, .width = 1},
           out);
  return absl::OkStatus();
}

absl::Status encode(const TextTokens& t, ByteWriter& out) {
  if (t.idf.size() != t.width) {
    return base::invalid(
        fmt::format("text tokens of width {} with {} weights", t.width, t.idf.size()));
  }
  put_head(TransformKind::kTextTokens,
           {.option = number_of(t.kind),
            .column = t.column,
            .second = t.normalize ? 1U : 0U,
            .width = t.width,
            .extra = t.vocabulary.empty() ? 0U : 1U},
           out);
  out.array<float>(t.idf);
  return t.vocabulary.empty() ? absl::OkStatus() : write_texts(t.vocabulary, out);
}

absl::Status encode(const TextLength& t, ByteWriter& out) {
  put_head(TransformKind::kTextLength, {.column = t.column, .width = 2}, out);
  return absl::OkStatus();
}

}  // namespace

absl::Status FeaturePipeline::encode(const PipelineParts& parts, ByteWriter& out) {
  out.put(static_cast<uint32_t>(parts.dictionaries.size()));
  out.put(static_cast<uint32_t>(parts.transforms.size()));
  for (const Dictionary& dictionary : parts.dictionaries) {
    out.put(dictionary.column);
    out.put(dictionary.kept_count);
    TRY(write_texts(dictionary.entries, out));
  }
  for (size_t i = 0; i < parts.transforms.size(); ++i) {
    const absl::Status status =
        std::visit([&out](const auto& transform) { return model::encode(transform, out); },
                   parts.transforms[i]);
    if (!status.ok()) {
      return base::annotate(status, fmt::format("transform {} of the pipeline", i));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<FeaturePipeline> FeaturePipeline::create(const Contract& contract,
                                                        const PipelineParts& parts) {
  ByteWriter out;
  TRY(encode(parts, out));
  auto owned = std::make_shared<const std::vector<std::byte>>(out.take());
  ByteReader in(*owned);
  absl::StatusOr<FeaturePipeline> pipeline = load(contract, in);
  if (!pipeline.ok()) {
    return as_invalid(pipeline.status());
  }
  pipeline->impl_->owned = std::move(owned);
  return pipeline;
}

}  // namespace cromford::model
