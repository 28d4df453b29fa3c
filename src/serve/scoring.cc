#include "serve/scoring.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace cromford::serve {
namespace {

constexpr size_t kIdBytes = 26;  // Of base::IdSource.

}  // namespace

void RowColumns::reset(const model::Contract& contract, size_t row_count) {
  row_count_ = row_count;
  places_.resize(contract.size());
  views_.resize(contract.size());
  size_t number_count = 0;
  size_t text_count = 0;
  for (size_t i = 0; i < contract.size(); ++i) {
    const bool is_text = contract[i].type == model::InputType::kText;
    size_t& count = is_text ? text_count : number_count;
    places_[i] = {is_text, count};
    count += row_count;
  }
  numbers_.assign(number_count, std::numeric_limits<double>::quiet_NaN());
  texts_.assign(text_count, std::string_view());
  point_views();
}

void RowColumns::point_views() {
  for (size_t i = 0; i < places_.size(); ++i) {
    const Place place = places_[i];
    if (place.is_text) {
      views_[i] = {.texts = {texts_.data() + place.start, row_count_}};
    } else {
      views_[i] = {.numbers = {numbers_.data() + place.start, row_count_}};
    }
  }
}

void RowColumns::copy_from(const RowColumns& other, std::string& texts) {
  row_count_ = other.row_count_;
  places_ = other.places_;
  numbers_ = other.numbers_;
  texts_ = other.texts_;
  views_.resize(places_.size());
  point_views();
  size_t bytes = 0;
  for (const std::string_view text : texts_) {
    bytes += text.size();
  }
  texts.clear();
  texts.reserve(bytes);  // So that what is pointed to does not move.
  for (std::string_view& text : texts_) {
    if (text.data() != nullptr) {
      const size_t start = texts.size();
      texts += text;
      text = {texts.data() + start, text.size()};
    }
  }
}

void RowColumns::shrink() {
  *this = RowColumns();
}

void Scratch::Impl::generate_ids(base::IdSource& source, size_t row_count) {
  generated_ids.clear();
  generated_ids.reserve(row_count * kIdBytes);
  ids.resize(row_count);
  for (size_t row = 0; row < row_count; ++row) {
    source.append(generated_ids);
  }
  for (size_t row = 0; row < row_count; ++row) {
    ids[row] = std::string_view(generated_ids).substr(row * kIdBytes, kIdBytes);
  }
}

void Scratch::Impl::reset_lanes(const Endpoint& endpoint, size_t row_count) {
  const std::vector<Variant>& variants = endpoint.variants();
  for (size_t v = 0; v < variants.size(); ++v) {
    const bool is_shadow = variants[v].spec.role == Role::kShadow && counts[v] == 0;
    Lane& its_lane = lane(v);
    its_lane.failed = false;
    its_lane.rows.reset(variants[v].spec.package->contract(), is_shadow ? row_count : counts[v]);
  }
}

void Scratch::Impl::assign(const Endpoint& endpoint, size_t row_count) {
  counts.assign(endpoint.variants().size(), 0);
  targets.resize(row_count);
  for (size_t row = 0; row < row_count; ++row) {
    const size_t variant = endpoint.choose(ids[row]);
    targets[row] = {static_cast<uint32_t>(variant), counts[variant]++};
  }
  reset_lanes(endpoint, row_count);
}

void Scratch::Impl::assign_all(const Endpoint& endpoint, size_t variant, size_t row_count) {
  counts.assign(endpoint.variants().size(), 0);
  counts[variant] = static_cast<uint32_t>(row_count);
  targets.resize(row_count);
  for (size_t row = 0; row < row_count; ++row) {
    targets[row] = {static_cast<uint32_t>(variant), static_cast<uint32_t>(row)};
  }
  reset_lanes(endpoint, row_count);
}

void Scratch::Impl::shrink() {
  *this = Impl();
}

Scratch::Scratch() : impl_(std::make_unique<Impl>()) {}
Scratch::~Scratch() = default;
Scratch::Scratch(Scratch&&) noexcept = default;
Scratch& Scratch::operator=(Scratch&&) noexcept = default;

bool is_good_id(std::string_view id, size_t bytes_max) {
  return !id.empty() && id.size() <= bytes_max && std::none_of(id.begin(), id.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

void score_shadows(ShadowScorer& scorer, const Endpoint& endpoint, Scratch::Impl& memory) {
  const std::vector<Variant>& variants = endpoint.variants();
  for (size_t v = 0; v < variants.size(); ++v) {
    if (variants[v].spec.role != Role::kShadow || memory.counts[v] > 0) {
      continue;
    }
    if (memory.lane(v).failed) {
      variants[v].counters->count({.failed = true});
    } else {
      scorer.add(variants[v], memory.lane(v).rows);
    }
  }
}

double estimated_work_ns(const Endpoint& endpoint, const Scratch::Impl& memory, bool with_reasons) {
  double total = 0.0;
  for (size_t v = 0; v < endpoint.variants().size(); ++v) {
    const model::RowCost cost = endpoint.variants()[v].spec.package->row_cost();
    total += memory.counts[v] * (cost.predict_ns + (with_reasons ? cost.explain_ns : 0.0));
  }
  return total;
}

void count_answered(const Endpoint& endpoint, const Scratch::Impl& memory, uint64_t latency_ns) {
  const std::vector<Variant>& variants = endpoint.variants();
  for (size_t v = 0; v < variants.size(); ++v) {
    if (memory.counts[v] > 0) {
      variants[v].counters->count({.rows = memory.counts[v],
                                   .latency_ns = latency_ns,
                                   .unseen = memory.lanes[v].predictions.unseen});
    }
  }
  if (memory.ids.empty()) {  // A request without rows counts as one, too.
    endpoint.champion().counters->count({.rows = 0, .latency_ns = latency_ns});
  }
}

}  // namespace cromford::serve
