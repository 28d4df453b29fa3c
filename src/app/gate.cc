#include "app/gate.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "app/resources.h"
#include "base/name.h"
#include "metric/metric.h"
#include "metric/normal.h"

namespace cromford::app {
namespace {

constexpr const char* kBetter = "better_than_champion";
constexpr const char* kNotWorse = "not_worse_than_champion";
constexpr double kConfidence = 0.95;
constexpr double kMargin = 0.005;
constexpr size_t kRulesMax = 50;

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
  const bool superior = rule.contains(kBetter);
  const base::Json& wanted = rule.at(superior ? kBetter : kNotWorse);
  const std::string name = wanted.value("metric", std::string("log_loss"));
  const double confidence = wanted.value("confidence", kConfidence);
  const double margin = superior ? 0 : wanted.value("margin", kMargin);
  Verdict verdict{.rule = superior
                              ? fmt::format("better than the champion in {} at {:g}% confidence",
                                            name, 100 * confidence)
                              : fmt::format("at most {:g}% worse than the champion in {} at {:g}% "
                                            "confidence",
                                            100 * margin, name, 100 * confidence)};
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
  const double allowed = margin * std::abs(figures.value("champion", 0.0));
  verdict.passed =
      info.greater_is_better ? difference - width > -allowed : difference + width < allowed;
  verdict.found = {{"champion", comparison.value("champion", std::string())},
                   {"difference", difference},
                   {"lower", difference - width},
                   {"upper", difference + width}};
  verdict.reason = fmt::format("the difference to {} is {:+.5f} ({:+.5f} to {:+.5f})",
                               comparison.value("champion", std::string()), difference,
                               difference - width, difference + width);
  return verdict;
}

void check_threshold_rule(RequestReader& reader) {
  (void)reader.text("metric");
  (void)reader.word_or("comparison", ">=", {">=", ">", "<=", "<"});
  if (!reader.has("value")) {
    reader.fault("value", "'value' is missing");
  }
  (void)reader.number_or("value", 0, -1e300, 1e300);
}

void check_champion_rule(RequestReader& rule, std::string_view pointer, const char* key) {
  const std::string inner = fmt::format("{}/{}", pointer, key);
  RequestReader reader(rule.object_or_empty(key), "the comparison", inner);
  (void)reader.text("metric");
  (void)reader.number_or("confidence", kConfidence, 0.5, 0.9999);
  if (std::string_view(key) == kNotWorse) {
    (void)reader.number_or("margin", kMargin, 0, 1);
  }
  reader.finish(rule);
}

}  // namespace

void check_gate_rules(const base::Json& rules, RequestReader& document) {
  if (rules.size() > kRulesMax) {
    document.fault("gate", fmt::format("a gate has at most {} rules", kRulesMax));
    return;
  }
  for (size_t i = 0; i < rules.size(); ++i) {
    const std::string pointer = fmt::format("/gate/{}", i);
    RequestReader rule(rules[i], "a rule of the gate", pointer);
    if (rule.has(kBetter)) {
      check_champion_rule(rule, pointer, kBetter);
    } else if (rule.has(kNotWorse)) {
      check_champion_rule(rule, pointer, kNotWorse);
    } else {
      rule.allow({kBetter, kNotWorse});
      check_threshold_rule(rule);
    }
    rule.finish(document);
  }
}

absl::StatusOr<base::Json> judge_gate_rules(const base::Json& rules,
                                            const base::Json& model_version,
                                            const std::string& champion) {
  const base::Json metrics = model_version.value("metrics", base::Json::object());
  base::Json evidence = {{"rules", base::Json::array()}};
  std::vector<std::string> refusals;
  for (const base::Json& rule : rules) {
    TRY(const Verdict verdict, rule.contains(kBetter) || rule.contains(kNotWorse)
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
