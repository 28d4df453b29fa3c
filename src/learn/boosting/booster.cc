#include "learn/boosting/booster.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>
#include <new>

#include "base/status.h"
#include "learn/boosting/xgboost_functions.h"

namespace cromford::learn {
namespace {

// XGBoost's calls return -1 and keep a message for the calling thread.
absl::Status checked(int code, std::string_view doing) {
  if (code == 0) {
    return absl::OkStatus();
  }
  std::string text = XGBGetLastError();
  text = text.substr(0, text.find("Stack trace"));
  if (text.find("bad_alloc") != std::string::npos || text.find("memory") != std::string::npos) {
    return base::exhausted(fmt::format("memory ran out while {}", doing),
                           "give the run more memory with --memory, or fewer rows");
  }
  return base::internal(fmt::format("XGBoost failed while {}: {}", doing, text));
}

std::string array_interface(const float* values, size_t rows, size_t columns) {
  return fmt::format(R"({{"data": [{}, true], "shape": [{}, {}], "typestr": "<f4", "version": 3}})",
                     reinterpret_cast<uintptr_t>(values), rows, columns);
}

std::vector<float> to_float(std::span<const double> values) {
  return {values.begin(), values.end()};
}

bool is_regression(Objective objective) {
  return objective == Objective::kSquaredError || objective == Objective::kAbsoluteError;
}

// Values are centred in double before they lose precision; classes stay as they are.
std::vector<float> label_floats(const BoostingSource& source, size_t first, size_t count) {
  const double centre = is_regression(source.objective) ? source.base[0] : 0.0;
  std::vector<float> labels(count);
  for (size_t i = 0; i < count; ++i) {
    labels[i] = static_cast<float>(source.labels[first + i] - centre);
  }
  return labels;
}

absl::Status set_labels(DMatrixHandle handle, const std::vector<float>& labels,
                        const std::vector<float>& weights) {
  TRY(checked(XGDMatrixSetFloatInfo(handle, "label", labels.data(), labels.size()),
              "setting labels"));
  if (!weights.empty()) {
    TRY(checked(XGDMatrixSetFloatInfo(handle, "weight", weights.data(), weights.size()),
                "setting weights"));
  }
  return absl::OkStatus();
}

// Feeds blocks of rows to XGBoost, which asks for all of them twice.
class Feeder {
 public:
  Feeder(const BoostingSource& source, DMatrixHandle proxy) : source_(source), proxy_(proxy) {
    const size_t block =
        std::clamp<size_t>(4000000 / std::max<size_t>(1, source.column_count), 1024, 65536);
    block_.resize(std::min(block, source.row_count) * source.column_count);
  }

  static void reset(DataIterHandle self) { static_cast<Feeder*>(self)->at_ = 0; }

  static int next(DataIterHandle self) { return static_cast<Feeder*>(self)->feed(); }

 private:
  int feed() {
    if (at_ == source_.row_count) {
      return 0;
    }
    const size_t capacity = block_.size() / source_.column_count;
    const size_t count = std::min(capacity, source_.row_count - at_);
    source_.fill(at_, count, std::span(block_).first(count * source_.column_count));
    const std::string interface = array_interface(block_.data(), count, source_.column_count);
    labels_ = label_floats(source_, at_, count);
    if (!source_.weights.empty()) {
      weights_ = to_float(source_.weights.subspan(at_, count));
    }
    at_ += count;
    const bool good = XGProxyDMatrixSetDataDense(proxy_, interface.c_str()) == 0 &&
                      set_labels(proxy_, labels_, weights_).ok();
    return good ? 1 : 0;
  }

  const BoostingSource& source_;
  DMatrixHandle proxy_;
  std::vector<float> block_;
  std::vector<float> labels_;
  std::vector<float> weights_;
  size_t at_ = 0;
};

class BoosterOwner {
 public:
  ~BoosterOwner() {
    if (handle != nullptr) {
      XGBoosterFree(handle);
    }
  }
  BoosterOwner() = default;
  BoosterOwner(const BoosterOwner&) = delete;
  BoosterOwner& operator=(const BoosterOwner&) = delete;

  BoosterHandle handle = nullptr;
};

constexpr uint32_t kRoundsTried = 8;

// On a busy machine several threads wait for each other at every level of a tree and are slower
// than one. The first rounds try both; the rest takes the faster.
class ThreadChoice {
 public:
  explicit ThreadChoice(size_t threads) : threads_(threads) {}

  absl::Status next_round(BoosterHandle booster) {
    const auto now = std::chrono::steady_clock::now();
    const uint32_t round = round_++;
    if (threads_ < 2 || round > 2 * kRoundsTried) {
      return absl::OkStatus();
    }
    if (round == 0) {
      started_ = now;
    } else if (round == kRoundsTried) {
      with_all_ = now - started_;
      started_ = now;
      return set(booster, 1);
    } else if (round == 2 * kRoundsTried && now - started_ > with_all_) {
      return set(booster, threads_);
    }
    return absl::OkStatus();
  }

 private:
  static absl::Status set(BoosterHandle booster, size_t threads) {
    return checked(XGBoosterSetParam(booster, "nthread", fmt::format("{}", threads).c_str()),
                   "choosing threads");
  }

  size_t threads_;
  uint32_t round_ = 0;
  std::chrono::steady_clock::time_point started_;
  std::chrono::steady_clock::duration with_all_{};
};

std::string objective_name(Objective objective) {
  switch (objective) {
    case Objective::kBinary:
      return "binary:logistic";
    case Objective::kMulticlass:
      return "multi:softprob";
    case Objective::kSquaredError:
      return "reg:squarederror";
    case Objective::kAbsoluteError:
      return "reg:absoluteerror";
  }
  return "";
}

absl::Status configure(BoosterHandle booster, const BoostingData& data,
                       const BoostingConfig& config, const BoostOptions& options) {
  const bool by_leaf = config.leaves > 0;
  std::vector<std::pair<std::string, std::string>> parameters = {
      {"booster", "gbtree"},
      {"tree_method", "hist"},
      {"objective", objective_name(data.objective())},
      {"nthread", fmt::format("{}", options.threads)},
      {"seed", fmt::format("{}", options.seed % 2147483647U)},
      {"max_bin", fmt::format("{}", data.bin_count())},
      {"eta", fmt::format("{}", config.learning_rate)},
      {"max_depth", fmt::format("{}", config.depth)},
      {"max_leaves", fmt::format("{}", config.leaves)},
      {"grow_policy", by_leaf ? "lossguide" : "depthwise"},
      {"min_child_weight", fmt::format("{}", config.least_weight)},
      {"subsample", fmt::format("{}", config.row_share)},
      {"colsample_bytree", fmt::format("{}", config.column_share)},
      {"colsample_bylevel", fmt::format("{}", config.level_share)},
      {"lambda", fmt::format("{}", config.l2)},
      {"alpha", fmt::format("{}", config.l1)},
      {"gamma", fmt::format("{}", config.least_gain)},
      // The prior goes into our own forest; XGBoost starts from a margin of zero.
      {"base_score", data.objective() == Objective::kBinary ? "0.5" : "0"},
      {"disable_default_eval_metric", "1"}};
  if (data.objective() == Objective::kMulticlass) {
    parameters.emplace_back("num_class", fmt::format("{}", data.base().size()));
  }
  for (const auto& [name, value] : parameters) {
    TRY(checked(XGBoosterSetParam(booster, name.c_str(), value.c_str()), "setting up a fit"));
  }
  return absl::OkStatus();
}

// Margins of the rows, without the base.
absl::Status read_margins(BoosterHandle booster, const BoostingData& rows,
                          const std::vector<double>& base, std::vector<double>& margins) {
  bst_ulong length = 0;
  const float* values = nullptr;
  constexpr int margin_mask = 1;
  TRY(checked(XGBoosterPredict(booster, rows.handle(), margin_mask, 0, 0, &length, &values),
              "scoring validation rows"));
  margins.resize(length);
  for (size_t i = 0; i < length; ++i) {
    margins[i] = values[i] + base[i % base.size()];
  }
  return absl::OkStatus();
}

// A base margin on the rows makes a fit of classes start from the prior.
absl::Status set_base(DMatrixHandle data, size_t rows, const std::vector<double>& base) {
  std::vector<float> margins(rows * base.size());
  for (size_t i = 0; i < margins.size(); ++i) {
    margins[i] = static_cast<float>(base[i % base.size()]);
  }
  return checked(XGDMatrixSetFloatInfo(data, "base_margin", margins.data(), margins.size()),
                 "setting the base margin");
}

absl::Status finish(BoosterHandle booster, const BoostingData& data, Boosted& result) {
  bst_ulong length = 0;
  const char* text = nullptr;
  TRY(checked(XGBoosterSaveModelToBuffer(booster, R"({"format": "json"})", &length, &text),
              "reading the trees"));
  result.gain.assign(data.column_count(), 0.0);
  const auto outputs = static_cast<uint32_t>(data.base().size());
  TRY(result.forest, forest_from_json({text, length}, outputs, result.rounds, &result.gain));
  result.forest.base = data.base();
  return absl::OkStatus();
}

}  // namespace

BoostingData::~BoostingData() {
  if (handle_ != nullptr) {
    XGDMatrixFree(handle_);
  }
}

BoostingData::BoostingData(const BoostingSource& source)
    : row_count_(source.row_count),
      column_count_(source.column_count),
      bin_count_(source.bin_count),
      objective_(source.objective),
      base_(source.base) {}

absl::StatusOr<std::unique_ptr<BoostingData>> BoostingData::create(const BoostingSource& source) {
  TRY(load_xgboost());
  std::unique_ptr<BoostingData> data(new BoostingData(source));
  DMatrixHandle proxy = nullptr;
  TRY(checked(XGProxyDMatrixCreate(&proxy), "preparing rows"));
  Feeder feeder(source, proxy);
  const std::string config = fmt::format(R"({{"missing": NaN, "nthread": {}, "max_bin": {}}})",
                                         source.threads, source.bin_count);
  const absl::Status status =
      checked(XGQuantileDMatrixCreateFromCallback(&feeder, proxy, nullptr, &Feeder::reset,
                                                  &Feeder::next, config.c_str(), &data->handle_),
              "quantising rows");
  XGDMatrixFree(proxy);
  TRY(status);
  if (!is_regression(source.objective)) {
    TRY(set_base(data->handle_, source.row_count, source.base));
  }
  return data;
}

absl::StatusOr<std::unique_ptr<BoostingData>> BoostingData::create_plain(
    const BoostingSource& source) {
  TRY(load_xgboost());
  std::unique_ptr<BoostingData> data(new BoostingData(source));
  std::vector<float> values(source.row_count * source.column_count);
  source.fill(0, source.row_count, values);
  TRY(checked(XGDMatrixCreateFromMat(values.data(), source.row_count, source.column_count,
                                     std::numeric_limits<float>::quiet_NaN(), &data->handle_),
              "copying validation rows"));
  return data;
}

absl::StatusOr<Boosted> boost(const BoostingData& data, const BoostingConfig& config,
                              const BoostOptions& options) {
  BoosterOwner owner;
  ThreadChoice choice(options.threads);
  const DMatrixHandle handles[] = {data.handle(),
                                   options.valid != nullptr ? options.valid->handle() : nullptr};
  TRY(checked(XGBoosterCreate(handles, options.valid != nullptr ? 2 : 1, &owner.handle),
              "starting a fit"));
  TRY(configure(owner.handle, data, config, options));
  Boosted result;
  result.valid_loss = std::numeric_limits<double>::infinity();
  std::vector<double> margins;
  for (uint32_t round = 0; round < options.round_limit; ++round) {
    if (options.stop && options.stop()) {
      result.stopped = true;
      break;
    }
    TRY(choice.next_round(owner.handle));
    TRY(checked(XGBoosterUpdateOneIter(owner.handle, static_cast<int>(round), data.handle()),
                "fitting a tree"));
    result.rounds_fitted = round + 1;
    if (options.valid == nullptr) {
      result.rounds = round + 1;
      continue;
    }
    TRY(read_margins(owner.handle, *options.valid, data.base(), margins));
    const double loss = options.loss(margins);
    if (loss < result.valid_loss) {
      result.valid_loss = loss;
      result.rounds = round + 1;
      result.valid_margins = margins;
    } else if (round + 1 - result.rounds >= options.patience) {
      break;
    }
  }
  if (!result.stopped || options.forest_when_stopped) {
    TRY(finish(owner.handle, data, result));
  }
  return result;
}

}  // namespace cromford::learn
