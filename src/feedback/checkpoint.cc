#include "feedback/checkpoint.h"

#include <utility>

#include "base/hash.h"
#include "base/status.h"
#include "feedback/bytes.h"

namespace cromford::feedback {
namespace {

constexpr std::string_view kMagic =
    "\x89"
    "CRCP\r\n\x1a";
constexpr uint32_t kCheckpointFormat = 1;

constexpr uint64_t EndpointStatistics::* kCounters[] = {
    &EndpointStatistics::predictions,     &EndpointStatistics::predictions_lost,
    &EndpointStatistics::joined,          &EndpointStatistics::waiting,
    &EndpointStatistics::duplicates,      &EndpointStatistics::corrections,
    &EndpointStatistics::rejected_value,  &EndpointStatistics::rejected_future,
    &EndpointStatistics::rejected_unknown};
constexpr LagHistogram EndpointStatistics::* kHistograms[] = {&EndpointStatistics::event_lag,
                                                              &EndpointStatistics::arrival_lag};

template <typename Value>
void put_map(ByteWriter& out, const std::map<uint32_t, Value>& map) {
  out.put(static_cast<uint32_t>(map.size()));
  for (const auto& [key, value] : map) {
    out.put(key);
    out.put(value);
  }
}

template <typename Value>
std::map<uint32_t, Value> get_map(ByteReader& in) {
  std::map<uint32_t, Value> map;
  for (size_t left = in.count(sizeof(uint32_t) + sizeof(Value)); left > 0; --left) {
    const auto key = in.get<uint32_t>();
    map[key] = in.get<Value>();
  }
  return map;
}

}  // namespace

std::string encode_checkpoint(const Checkpoint& checkpoint) {
  std::string bytes(kMagic);
  ByteWriter out(bytes);
  out.put(kCheckpointFormat);
  out.put(checkpoint.next_number);
  out.put(checkpoint.given_up_through);
  put_map(out, checkpoint.progress);
  put_map(out, checkpoint.removed);
  out.put(static_cast<uint32_t>(checkpoint.endpoints.size()));
  for (const Checkpoint::Endpoint& endpoint : checkpoint.endpoints) {
    out.text(endpoint.name);
    for (const auto counter : kCounters) {
      out.put(endpoint.statistics.*counter);
    }
    for (const auto histogram : kHistograms) {
      const std::vector<uint64_t>& buckets = (endpoint.statistics.*histogram).buckets();
      out.put(static_cast<uint32_t>(buckets.size()));
      for (const uint64_t count : buckets) {
        out.put(count);
      }
    }
  }
  out.put(base::crc32c(std::string_view(bytes)));
  return bytes;
}

absl::StatusOr<Checkpoint> decode_checkpoint(std::string_view bytes) {
  const auto damaged = [] { return base::damaged("the checkpoint of the log cannot be read"); };
  if (!bytes.starts_with(kMagic) || bytes.size() < kMagic.size() + sizeof(uint32_t)) {
    return damaged();
  }
  const std::string_view checked = bytes.substr(0, bytes.size() - sizeof(uint32_t));
  ByteReader crc(bytes.substr(checked.size()));
  ByteReader in(checked.substr(kMagic.size()));
  if (crc.get<uint32_t>() != base::crc32c(checked) || in.get<uint32_t>() != kCheckpointFormat) {
    return damaged();
  }
  Checkpoint checkpoint;
  checkpoint.next_number = in.get<uint32_t>();
  checkpoint.given_up_through = in.get<uint32_t>();
  checkpoint.progress = get_map<uint64_t>(in);
  checkpoint.removed = get_map<uint32_t>(in);
  for (size_t left = in.count(sizeof(uint32_t)); left > 0; --left) {
    Checkpoint::Endpoint endpoint{.name = std::string(in.text()), .statistics = {}};
    for (const auto counter : kCounters) {
      endpoint.statistics.*counter = in.get<uint64_t>();
    }
    for (const auto histogram : kHistograms) {
      std::vector<uint64_t> buckets(in.count(sizeof(uint64_t)));
      for (uint64_t& count : buckets) {
        count = in.get<uint64_t>();
      }
      endpoint.statistics.*histogram = LagHistogram::from_buckets(std::move(buckets));
    }
    checkpoint.endpoints.push_back(std::move(endpoint));
  }
  return in.finished() ? absl::StatusOr<Checkpoint>(std::move(checkpoint)) : damaged();
}

}  // namespace cromford::feedback
