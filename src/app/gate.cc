#include "app/gate.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/resources.h"
#include "base/name.h"
#include "metric/metric.h"
#include "metric/normal.h"

namespace cromford::app {
namespace {

struct Verdict {
  bool passed = false;
  base::Json found;
  std::string rule;
  std::string reason;
};

bool holds(double found, std::string_view comparison, double wanted) {
  if (comparison == ">=") {
    return found >= wanted;
  }
  if (comparison == ">") {
    return found > wanted;
  }
  if (comparison == "<=") {
    return found <= wanted;
  }
  return found < wanted;
}

absl::StatusOr<Verdict> judge_metric(const base::Json& rule, const base::Json& metrics) {
  const std::string name = rule.value("metric", std::string());
  const std::string comparison = rule.value("comparison", std::string(">="));
  const double wanted = rule.value("value", 0.0);
  if (!metrics.contains(name)) {
    std::vector<std::string> known;
    for (const auto& [key, value] : metrics.items()) {
      known.push_back(key);
    }
    return base::invalid(
        fmt::format("the gate asks for '{}', which this model has not", name),
        fmt::format("it has {}{}", fmt::join(known, ", "), base::did_you_mean(name, known)));
  }
  const double found = metrics[name].value("value", 0.0);
  Verdict verdict{.passed = holds(found, comparison, wanted),
                  .found = found,
                  .rule = fmt::format("{} {} {}", name, comparison, wanted)};
  verdict.reason = fmt::format("{} is {:.4f}", name, found);
  return verdict;
}

// Why the comparison that training made says nothing of this champion; "" where it does.
std::string missing_evidence(const base::Json& comparison, const std::string& champion,
                             const std::string& metric) {
  const std::string compared = comparison.value("champion", std::string());
  if (compared.empty()) {
    return fmt::format("it was never compared with {}; run the pipeline again", champion);
  }
  if (compared != champion) {
    return fmt::format("it was compared with {}, but {} serves now; run the pipeline again",
                       compared, champion);
  }
  if (comparison.contains("error")) {
    return fmt::format("it could not be compared with {}: {}", champion,
                       comparison.value("error", std::string("no reason was given")));
  }
  const base::Json unknown = comparison.value("unknown", base::Json::object());
  if (unknown.contains(metric)) {
    return fmt::format("the difference to {} is unknown: {}", champion,
                       unknown.value(metric, std::string()));
  }
  return {};
}

absl::StatusOr<Verdict> judge_champion(const base::Json& rule, const base::Json& model_version,
                                       const std::string& champion) {
  const base::Json& wanted = rule.at("better_than_champion");
  const std::string name = wanted.value("metric", std::string("log_loss"));
  const double confidence = wanted.value("confidence", 0.95);
  Verdict verdict{.rule = fmt::format("better than the champion in {} at {:g}% confidence", name,
                                      100 * confidence)};
  const base::Json comparison = model_version.value("comparison", base::Json::object());
  const bool is_champion = champion == version_name(model_version.value("model", std::string()),
                                                    model_version.value("version", int64_t{0}));
  if (champion.empty() || is_champion) {
    verdict.passed = true;
    verdict.reason = is_champion ? "it is the champion" : "there is no champion to compare with";
    return verdict;
  }
  verdict.reason = missing_evidence(comparison, champion, name);
  if (!verdict.reason.empty()) {
    return verdict;
  }
  if (!comparison.at("metrics").contains(name)) {
    return base::invalid(fmt::format("models cannot be compared by '{}'", name),
                         "use log_loss, brier, auc, rmse or mae");
  }
  TRY(const metric::Task task, metric::parse_task(model_version.value("task", std::string())));
  TRY(const metric::MetricInfo info, metric::find_metric(name, task));
  const base::Json& figures = comparison.at("metrics").at(name);
  const double difference = figures.value("difference", 0.0);
  const double width =
      metric::normal_quantile(0.5 + confidence / 2) * figures.value("standard_error", 0.0);
  verdict.passed = info.greater_is_better ? difference - width > 0 : difference + width < 0;
  verdict.found = {{"champion", comparison.value("champion", std::string())},
                   {"difference", difference},
                   {"lower", difference - width},
                   {"upper", difference + width}};
  verdict.reason = fmt::format("the difference to {} is {:+.5f} ({:+.5f} to {:+.5f})",
                               comparison.value("champion", std::string()), difference,
                               difference - width, difference + width);
  return verdict;
}

}  // namespace

absl::StatusOr<base::Json> judge_gate_rules(const base::Json& rules,
                                            const base::Json& model_version,
                                            const std::string& champion) {
  const base::Json metrics = model_version.value("metrics", base::Json::object());
  base::Json evidence = {{"rules", base::Json::array()}};
  std::vector<std::string> refusals;
  for (const base::Json& rule : rules) {
    TRY(const Verdict verdict, rule.contains("better_than_champion")
                                   ? judge_champion(rule, model_version, champion)
                                   : judge_metric(rule, metrics));
    evidence["rules"].push_back({{"rule", verdict.rule},
                                 {"passed", verdict.passed},
                                 {"found", verdict.found},
                                 {"reason", verdict.reason}});
    if (!verdict.passed) {
      refusals.push_back(fmt::format("{}: {}", verdict.rule, verdict.reason));
    }
  }
  if (!refusals.empty()) {
    return base::refused(
        fmt::format("the gate refused {}@{}: {}",
                    model_version.value("model", std::string("the model")),
                    model_version.value("version", int64_t{0}), fmt::join(refusals, "; ")),
        "look at the run's leaderboard and warnings; train longer, or on more or "
        "better data; what was serving goes on serving");
  }
  return evidence;
}

}  // namespace cromford::app
