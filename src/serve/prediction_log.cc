#include "serve/prediction_log.h"

#include <fmt/format.h>

#include <utility>

#include "base/status.h"
#include "serve/endpoint.h"

namespace cromford::serve {
namespace {

// Which writer of which log the thread uses. A thread meets one log in a server.
struct Seat {
  uint64_t log = 0;
  size_t index = 0;
};
thread_local Seat seat;

std::atomic<uint64_t> log_count{0};

table::ColumnType column_type(model::InputType type) {
  switch (type) {
    case model::InputType::kNumber:
      return table::ColumnType::kNumber;
    case model::InputType::kBoolean:
      return table::ColumnType::kBoolean;
    case model::InputType::kText:
      return table::ColumnType::kText;
    case model::InputType::kDate:
      return table::ColumnType::kDate;
    case model::InputType::kTimestamp:
      return table::ColumnType::kTimestamp;
  }
  return table::ColumnType::kText;
}

}  // namespace

PredictionLog::PredictionLog(feedback::Log& log, size_t writers)
    : log_(log), writers_(writers), number_(++log_count) {}

absl::StatusOr<feedback::PredictionWriter*> PredictionLog::writer() {
  if (seat.log != number_) {
    const size_t index = threads_.fetch_add(1);
    if (index >= writers_) {
      return base::internal("more threads answer predictions than the log has writers");
    }
    seat = {number_, index};
  }
  return &log_.writer(seat.index);
}

bool PredictionLog::has_uncommitted() {
  return seat.log == number_ && log_.writer(seat.index).pending_bytes() > 0;
}

void PredictionLog::commit(const std::function<void(absl::Status)>& done) {
  if (seat.log != number_) {
    done(absl::OkStatus());
    return;
  }
  log_.writer(seat.index).flush(done);
}

std::string log_key(std::string_view project, std::string_view endpoint) {
  return fmt::format("{}/{}", project, endpoint);
}

feedback::Layout variant_layout(std::string_view project, std::string_view endpoint,
                                const VariantSpec& variant) {
  feedback::Layout layout{.endpoint = log_key(project, endpoint),
                          .model = variant.model,
                          .model_version = variant.version,
                          .variant = std::string(role_name(variant.role)),
                          .classes = variant.package->classes()};
  if (variant.role == Role::kShadow) {
    layout.endpoint += fmt::format("/shadow/{}@{}", variant.model, variant.version);
  }
  for (const model::InputColumn& column : variant.package->contract()) {
    layout.columns.push_back({column.name, column_type(column.type)});
  }
  return layout;
}

}  // namespace cromford::serve
