// How fast profiles are made: 3,000,000 rows x 5 columns shaped like the flights, one core.

#include <benchmark/benchmark.h>

#include <array>
#include <string>
#include <vector>

#include "base/random.h"
#include "table/profile_builder.h"

namespace cromford::table {
namespace {

constexpr size_t kRows = 3'000'000;
constexpr size_t kChunk = 2048;

struct Flights {
  std::vector<int64_t> date, delay, distance;
  std::vector<std::string> airports;
  std::vector<std::string_view> origin, destination;

  Flights() {
    base::Random random(1);
    for (int i = 0; i < 300; ++i) {
      airports.push_back({static_cast<char>('A' + i % 26), static_cast<char>('A' + i / 26 % 26),
                          static_cast<char>('A' + i * 7 % 26)});
    }
    for (size_t i = 0; i < kRows; ++i) {
      date.push_back(978'307'200'000'000 +
                     static_cast<int64_t>(i * 181 / kRows * 1440 + random.below(1080)) *
                         60'000'000);
      delay.push_back(static_cast<int64_t>(20 * random.normal()));
      distance.push_back(static_cast<int64_t>(100 + random.below(1300)));
      origin.push_back(airports[random.below(300)]);
      destination.push_back(airports[random.below(300)]);
    }
  }
};

const Flights& flights() {
  static const Flights kFlights;
  return kFlights;
}

Schema flights_schema() {
  return {{{"date", ColumnType::kTimestamp},
           {"delay", ColumnType::kInteger},
           {"distance", ColumnType::kInteger},
           {"origin", ColumnType::kText},
           {"destination", ColumnType::kText}}};
}

ColumnView integers(ColumnType type, std::span<const int64_t> values) {
  ColumnView view;
  view.type = type;
  view.integers = values;
  return view;
}

ColumnView texts(std::span<const std::string_view> values) {
  ColumnView view;
  view.texts = values;
  return view;
}

void profile_columns(benchmark::State& state, const std::vector<size_t>& chosen) {
  const Flights& all = flights();
  Schema schema;
  for (const size_t index : chosen) {
    schema.columns.push_back(flights_schema().columns[index]);
  }
  for (auto _ : state) {
    ProfileBuilder builder(schema);
    for (size_t begin = 0; begin < kRows; begin += kChunk) {
      const size_t count = std::min(kChunk, kRows - begin);
      const std::array<ColumnView, 5> views = {
          integers(ColumnType::kTimestamp, std::span(all.date).subspan(begin, count)),
          integers(ColumnType::kInteger, std::span(all.delay).subspan(begin, count)),
          integers(ColumnType::kInteger, std::span(all.distance).subspan(begin, count)),
          texts(std::span(all.origin).subspan(begin, count)),
          texts(std::span(all.destination).subspan(begin, count))};
      std::vector<ColumnView> picked;
      for (const size_t index : chosen) {
        picked.push_back(views[index]);
      }
      builder.add(Chunk(static_cast<int64_t>(begin), count, picked)).IgnoreError();
    }
    benchmark::DoNotOptimize(builder.finish());
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * static_cast<int64_t>(kRows));
}

void BM_ProfileFlights(benchmark::State& state) {
  profile_columns(state, {0, 1, 2, 3, 4});
}
void BM_ProfileManyTimes(benchmark::State& state) {
  profile_columns(state, {0});
}
void BM_ProfileFewIntegers(benchmark::State& state) {
  profile_columns(state, {1});
}
void BM_ProfileCategories(benchmark::State& state) {
  profile_columns(state, {3});
}
BENCHMARK(BM_ProfileFlights)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_ProfileManyTimes)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_ProfileFewIntegers)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_ProfileCategories)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace cromford::table
