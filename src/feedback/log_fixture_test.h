#pragma once

// A log in a directory of its own with a clock that stands still, for the tests of this folder.
//
// Thread safety: none.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "feedback/log.h"
#include "testing/faulty_file_system.h"
#include "testing/simulated_clock.h"
#include "testing/status_matchers.h"
#include "testing/temp_dir.h"

namespace cromford::feedback {

inline constexpr std::string_view kLate = "default/late";

inline Layout late_layout(std::string_view endpoint = kLate) {
  return {.endpoint = std::string(endpoint),
          .model = "late",
          .model_version = 3,
          .variant = "champion",
          .classes = {"false", "true"},
          .columns = {{"distance", ColumnType::kNumber},
                      {"origin", ColumnType::kText},
                      {"night", ColumnType::kBoolean}}};
}

class LogFixture : public ::testing::Test {
 protected:
  LogFixture() {
    files.skip_syncs();
    options.directory = directory / "log";
    options.files = &files;
    options.clock = &clock;
    options.background = false;
  }

  void open() {
    log.reset();
    ASSERT_OK_AND_ASSIGN(log, Log::open(options));
    layout = log->declare(late_layout());
  }

  // What a prediction looks like whose process was killed: the files as they are now, without the
  // orderly end of the log that has them open.
  void crash() {
    std::filesystem::rename(directory / "log", directory / "killed");
    std::filesystem::create_directories(directory / "log");
    std::filesystem::copy(directory / "killed", directory / "log",
                          std::filesystem::copy_options::recursive |
                              std::filesystem::copy_options::overwrite_existing);
    std::filesystem::rename(directory / "log", directory / "copy");
    std::filesystem::rename(directory / "killed", directory / "log");
    log.reset();
    std::filesystem::remove_all(directory / "log");
    std::filesystem::rename(directory / "copy", directory / "log");
  }

  absl::Status add(std::string_view id, size_t writer = 0) {
    const double distance = static_cast<double>(id.size());
    const double numbers[] = {distance, 1.0};
    const std::string_view texts[] = {"ORD"};
    const double answer[] = {0.69, 0.31};
    return log->writer(writer).add({.layout = layout,
                                    .id = id,
                                    .event_time = clock.now(),
                                    .arrival_time = clock.now(),
                                    .key = "user-7",
                                    .request_id = "req-1",
                                    .latency_us = 250,
                                    .numbers = numbers,
                                    .texts = texts,
                                    .answer = answer,
                                    .label = 0});
  }
  absl::Status predict(std::string_view id, size_t writer = 0) {
    TRY(add(id, writer));
    return log->writer(writer).flush();
  }

  absl::StatusOr<OutcomeReceipt> outcome(std::string_view id, std::string_view value,
                                         std::optional<base::Time> at = std::nullopt) {
    const OutcomeRecord records[] = {{id, {.text = value}, at}};
    return log->add_outcomes(kLate, rule, records);
  }

  EndpointStatistics statistics() { return log->statistics(kLate); }
  std::vector<std::string> names(std::string_view part) {
    std::vector<std::string> found;
    const auto all = files.list(options.directory);
    for (const std::string& name : *all) {
      if (name.find(part) != std::string::npos) {
        found.push_back(name);
      }
    }
    return found;
  }

  testing::TempDir directory;
  testing::SimulatedClock clock;
  testing::FaultyFileSystem files;
  LogOptions options;
  OutcomeRule rule{.classes = {"false", "true"}};
  std::unique_ptr<Log> log;
  uint32_t layout = 0;
};

}  // namespace cromford::feedback
