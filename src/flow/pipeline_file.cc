#include "flow/pipeline_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/name.h"
#include "base/status.h"
#include "base/text.h"
#include "flow/check_list.h"
#include "flow/section_reader.h"
#include "flow/yaml.h"

namespace cromford::flow {
namespace {

using base::Json;
using Kind = YamlNode::Kind;

constexpr double kConfidenceDefault = 0.95;
constexpr int64_t kCanaryPercentDefault = 10;

const std::vector<std::string>& modes() {
  static const std::vector<std::string> words{"replace", "append"};
  return words;
}
const std::vector<std::string>& tasks() {
  static const std::vector<std::string> words{"binary", "multiclass", "regression"};
  return words;
}
const std::vector<std::string>& strategies() {
  static const std::vector<std::string> words{"direct", "canary", "shadow"};
  return words;
}
const std::vector<std::string>& triggers() {
  static const std::vector<std::string> words{"quality", "drift", "new_data"};
  return words;
}

class PipelineReader {
 public:
  explicit PipelineReader(const PipelineWords& words) : words_(words) {}

  absl::StatusOr<PipelineSpec> read(const YamlNode& document);

 private:
  Json read_dataset(const YamlNode& node);
  void read_source(SectionReader& dataset, Json& settings);
  Json read_train(const YamlNode& node);
  Json read_gate(const YamlNode& node);
  std::optional<Json> read_gate_rule(const YamlNode& node, const KeyPath& path);
  std::optional<Json> read_comparison(const YamlNode& node, const KeyPath& path);
  std::optional<Json> read_champion_rule(const YamlNode& node, const KeyPath& path);
  Json read_deploy(const YamlNode& node);
  Json read_monitor(const YamlNode& node);
  Json read_retrain(const YamlNode& node);
  void need_endpoint(const YamlNode& node, std::string_view section);
  void read_trigger(const YamlNode& node, const KeyPath& path);
  void check_metric(const YamlNode& node, const KeyPath& path, const std::string& metric);
  void add_step(std::string name, const Json& settings);

  const PipelineWords& words_;
  Problems problems_;
  PipelineSpec spec_;
  std::string dataset_name_;
  std::string endpoint_;
  bool trains_ = false;
};

void PipelineReader::add_step(std::string name, const Json& settings) {
  spec_.steps.push_back({std::move(name), base::dump_json(settings)});
}

absl::StatusOr<PipelineSpec> PipelineReader::read(const YamlNode& document) {
  SectionReader file(problems_, document, {});
  Json root;
  if (file.name(root, "pipeline", "pipeline", Need::kRequired)) {
    spec_.name = root["pipeline"].get<std::string>();
  }
  const YamlNode* const dataset = file.take("dataset");
  const YamlNode* const train = file.take("train");
  const YamlNode* const gate = file.take("gate");
  const YamlNode* const deploy = file.take("deploy");
  const YamlNode* const monitor = file.take("monitor");
  const YamlNode* const retrain = file.take("retrain");
  file.done();
  trains_ = train != nullptr;
  if (document.kind == Kind::kMapping && dataset == nullptr && train == nullptr &&
      deploy == nullptr) {
    problems_.add(document.line, {}, "the file has no step",
                  "write at least one of the sections dataset, train and deploy");
  }
  if (dataset != nullptr) {
    add_step("dataset", read_dataset(*dataset));
  }
  if (train != nullptr) {
    add_step("train", read_train(*train));
  }
  const Json deployment = deploy != nullptr ? read_deploy(*deploy) : Json();
  if (gate != nullptr) {
    add_step("gate", read_gate(*gate));
  }
  if (deploy != nullptr) {
    add_step("deploy", deployment);
  }
  if (monitor != nullptr) {
    spec_.monitor = base::dump_json(read_monitor(*monitor));
  }
  if (retrain != nullptr) {
    spec_.retrain = base::dump_json(read_retrain(*retrain));
  }
  TRY(problems_.status("the pipeline file"));
  return std::move(spec_);
}

Json PipelineReader::read_dataset(const YamlNode& node) {
  SectionReader dataset(problems_, node, KeyPath{}.child("dataset"));
  Json settings = Json::object();
  if (dataset.name(settings, "name", "dataset", Need::kRequired)) {
    dataset_name_ = settings["name"].get<std::string>();
  }
  read_source(dataset, settings);
  dataset.text(settings, "query");
  if (!words_.formats.empty()) {
    dataset.word(settings, "format", words_.formats);
  } else {
    dataset.text(settings, "format");
  }
  dataset.word(settings, "mode", modes());
  dataset.texts(settings, "key");
  if (const YamlNode* const checks = dataset.take("checks")) {
    settings["checks"] = read_check_list(problems_, *checks, dataset.path_of("checks"));
  }
  dataset.done();
  return settings;
}

void PipelineReader::read_source(SectionReader& dataset, Json& settings) {
  const YamlNode* const node = dataset.take("source", Need::kRequired);
  if (node == nullptr) {
    return;
  }
  SectionReader source(problems_, *node, dataset.path_of("source"));
  Json value = Json::object();
  source.text(value, "file");
  source.texts(value, "files");
  source.text(value, "url");
  source.done();
  if (node->kind == Kind::kMapping && node->entries.size() != 1) {
    dataset.problem("source", "here should stand exactly one of file, files and url");
  }
  settings["source"] = std::move(value);
}

Json PipelineReader::read_train(const YamlNode& node) {
  SectionReader train(problems_, node, KeyPath{}.child("train"));
  Json settings = Json::object();
  if (train.text(settings, "dataset")) {
    const auto name = base::parse_versioned_name("dataset", settings["dataset"].get<std::string>());
    if (!name.ok()) {
      train.problem("dataset", base::message(name.status()), base::remedy(name.status()));
    }
  } else if (!dataset_name_.empty()) {
    settings["dataset"] = dataset_name_;
  } else if (node.find("dataset") == nullptr) {
    train.problem("dataset", "this key is missing", "name a dataset, or write a section dataset");
  }
  train.text(settings, "target", Need::kRequired);
  if (!train.name(settings, "model", "model") && node.find("model") == nullptr) {
    settings["model"] = spec_.name;
  }
  for (const char* const key :
       {"where", "positive_class", "time_column", "group_column", "weight_column"}) {
    train.text(settings, key);
  }
  train.word(settings, "task", tasks());
  if (train.text(settings, "metric")) {
    check_metric(*node.find("metric"), train.path_of("metric"),
                 settings["metric"].get<std::string>());
  }
  if (const YamlNode* const budget_node = train.take("budget")) {
    SectionReader budget(problems_, *budget_node, train.path_of("budget"));
    Json value = Json::object();
    budget.duration(value, "time");
    budget.size(value, "memory");
    budget.integer(value, "trials", 1, 1'000'000);
    budget.done();
    settings["budget"] = std::move(value);
  }
  train.integer(settings, "seed", 0, INT64_MAX);
  train.texts(settings, "ignore");
  if (train.texts(settings, "learners") && !words_.learners.empty()) {
    for (const Json& learner : settings["learners"]) {
      const std::string word = learner.get<std::string>();
      if (std::find(words_.learners.begin(), words_.learners.end(), word) ==
          words_.learners.end()) {
        train.problem("learners",
                      fmt::format("there is no learner '{}'{}", base::clip_utf8(word, 80),
                                  base::did_you_mean(word, words_.learners)),
                      fmt::format("write some of {}", base::join(words_.learners, ", ")));
      }
    }
  }
  train.done();
  return settings;
}

void PipelineReader::check_metric(const YamlNode& node, const KeyPath& path,
                                  const std::string& metric) {
  const auto& known = words_.metrics;
  if (!known.empty() && std::find(known.begin(), known.end(), metric) == known.end()) {
    problems_.add(node.line, path,
                  fmt::format("there is no metric '{}'{}", base::clip_utf8(metric, 80),
                              base::did_you_mean(metric, known)),
                  fmt::format("write one of {}", base::join(known, ", ")));
  }
}

Json PipelineReader::read_gate(const YamlNode& node) {
  const KeyPath path = KeyPath{}.child("gate");
  Json rules = Json::array();
  if (node.kind != Kind::kSequence || node.items.empty()) {
    problems_.add(node.line, path, "here should stand a list of rules, like `- auc >= 0.65`");
  }
  if (!trains_) {
    problems_.add(node.line, path, "a gate judges the model that the section train makes",
                  "write a section train");
  }
  for (size_t i = 0; i < node.items.size(); ++i) {
    if (std::optional<Json> rule = read_gate_rule(node.items[i], path.item(i))) {
      rules.push_back(*std::move(rule));
    }
  }
  Json settings{{"rules", std::move(rules)}};
  if (!endpoint_.empty()) {
    settings["endpoint"] = endpoint_;
  }
  return settings;
}

std::optional<Json> PipelineReader::read_gate_rule(const YamlNode& node, const KeyPath& path) {
  if (node.kind == Kind::kScalar) {
    return read_comparison(node, path);
  }
  SectionReader rule(problems_, node, path);
  const YamlNode* const champion = rule.take("better_than_champion", Need::kRequired);
  rule.done();
  return champion != nullptr ? read_champion_rule(*champion, path.child("better_than_champion"))
                             : std::nullopt;
}

// "METRIC COMPARISON NUMBER"
std::optional<Json> PipelineReader::read_comparison(const YamlNode& node, const KeyPath& path) {
  const std::string_view text = node.scalar;
  const size_t begin = text.find_first_of("<>=!");
  const size_t end =
      begin == std::string_view::npos ? begin : text.find_first_not_of("<>=!", begin);
  if (end == std::string_view::npos) {
    problems_.add(node.line, path,
                  fmt::format("'{}' is not a rule of a gate", base::clip_utf8(text, 80)),
                  "write it like `auc >= 0.65`");
    return std::nullopt;
  }
  const std::string metric(base::trim(text.substr(0, begin)));
  const std::string comparison(text.substr(begin, end - begin));
  const std::optional<double> value = base::to_number<double>(base::trim(text.substr(end)));
  const bool good_comparison =
      comparison == ">=" || comparison == "<=" || comparison == ">" || comparison == "<";
  if (metric.empty() || !good_comparison || !value) {
    problems_.add(node.line, path,
                  fmt::format("'{}' is not a rule of a gate", base::clip_utf8(text, 80)),
                  "write a metric, one of >= <= > <, and a number, like `auc >= 0.65`");
    return std::nullopt;
  }
  check_metric(node, path, metric);
  return Json{{"metric", metric}, {"comparison", comparison}, {"value", *value}};
}

std::optional<Json> PipelineReader::read_champion_rule(const YamlNode& node, const KeyPath& path) {
  SectionReader rule(problems_, node, path);
  Json settings{{"confidence", kConfidenceDefault}};
  if (rule.text(settings, "metric", Need::kRequired)) {
    check_metric(*node.find("metric"), rule.path_of("metric"),
                 settings["metric"].get<std::string>());
  }
  if (const YamlNode* const confidence = rule.take("confidence")) {
    const Json value = scalar_to_json(*confidence);
    if (!value.is_number() || value.get<double>() < 0.5 || value.get<double>() >= 1) {
      rule.problem("confidence", "here should stand a number from 0.5 to below 1, like 0.95");
    }
    settings["confidence"] = value;
  }
  rule.done();
  if (endpoint_.empty()) {
    problems_.add(node.line, path, "the champion is what an endpoint serves",
                  "write a section deploy with an endpoint");
  }
  return Json{{"better_than_champion", std::move(settings)}};
}

Json PipelineReader::read_deploy(const YamlNode& node) {
  SectionReader deploy(problems_, node, KeyPath{}.child("deploy"));
  Json settings = Json::object();
  if (deploy.name(settings, "endpoint", "endpoint", Need::kRequired)) {
    endpoint_ = settings["endpoint"].get<std::string>();
  }
  if (!deploy.word(settings, "strategy", strategies())) {
    settings["strategy"] = "direct";
  }
  const bool is_canary = settings["strategy"] == "canary";
  if (!deploy.integer(settings, "percent", 1, 100) && is_canary) {
    settings["percent"] = kCanaryPercentDefault;
  }
  if (!is_canary && node.find("percent") != nullptr) {
    deploy.problem("percent", "only the strategy canary has a percentage");
  }
  if (deploy.text(settings, "model")) {
    const auto name = base::parse_versioned_name("model", settings["model"].get<std::string>());
    if (!name.ok()) {
      deploy.problem("model", base::message(name.status()), base::remedy(name.status()));
    } else if (trains_) {
      deploy.problem("model", "the model is the one that the section train makes");
    }
  } else if (!trains_ && node.find("model") == nullptr) {
    deploy.problem("model", "this key is missing", "name a model, or write a section train");
  }
  deploy.done();
  return settings;
}

// These sections become the policy of the endpoint that the line deploys to.
void PipelineReader::need_endpoint(const YamlNode& node, std::string_view section) {
  if (endpoint_.empty()) {
    problems_.add(node.line, KeyPath{}.child(section), "this section speaks of an endpoint",
                  "write a section deploy with an endpoint");
  }
}

Json PipelineReader::read_monitor(const YamlNode& node) {
  SectionReader monitor(problems_, node, KeyPath{}.child("monitor"));
  Json settings = Json::object();
  monitor.duration(settings, "window");
  monitor.duration(settings, "outcome_delay");
  monitor.texts(settings, "segments");
  monitor.texts(settings, "sensitive");
  monitor.done();
  need_endpoint(node, "monitor");
  return settings;
}

Json PipelineReader::read_retrain(const YamlNode& node) {
  SectionReader retrain(problems_, node, KeyPath{}.child("retrain"));
  Json settings = Json::object();
  if (const YamlNode* const when = retrain.take("when", Need::kRequired)) {
    const KeyPath path = retrain.path_of("when");
    if (when->kind == Kind::kSequence && !when->items.empty()) {
      for (size_t i = 0; i < when->items.size(); ++i) {
        read_trigger(when->items[i], path.item(i));
      }
    } else {
      retrain.problem("when", "here should stand a list, like [quality, {every: 14d}]");
    }
    settings["when"] = yaml_to_json(*when);
  }
  if (const YamlNode* const window = retrain.take("window");
      window != nullptr && window->scalar == "auto") {
    settings["window"] = "auto";
  } else {
    retrain.duration(settings, "window");
  }
  retrain.duration(settings, "cooldown");
  retrain.done();
  need_endpoint(node, "retrain");
  return settings;
}

void PipelineReader::read_trigger(const YamlNode& node, const KeyPath& path) {
  if (node.kind == Kind::kMapping) {
    SectionReader trigger(problems_, node, path);
    Json unused;
    if (trigger.take("every", Need::kRequired) != nullptr) {
      trigger.duration(unused, "every");
    }
    trigger.done();
    return;
  }
  const std::string word = scalar_text(node).value_or("");
  if (std::find(triggers().begin(), triggers().end(), word) == triggers().end()) {
    problems_.add(node.line, path,
                  fmt::format("'{}' is not known here{}", base::clip_utf8(word, 80),
                              base::did_you_mean(word, triggers())),
                  fmt::format("write {}, or {{every: 14d}}", base::join(triggers(), ", ")));
  }
}

}  // namespace

absl::StatusOr<PipelineSpec> parse_pipeline(std::string_view yaml, const PipelineWords& words) {
  TRY(const YamlNode document, parse_yaml(yaml));
  return PipelineReader(words).read(document);
}

Json to_json(const PipelineSpec& spec) {
  Json steps = Json::array();
  for (const StepSpec& step : spec.steps) {
    absl::StatusOr<Json> settings = base::parse_json(step.settings);
    steps.push_back(
        {{"step", step.name}, {"settings", settings.ok() ? *std::move(settings) : Json()}});
  }
  const auto embedded = [](const std::string& text) {
    absl::StatusOr<Json> document = base::parse_json(text);
    return document.ok() ? *std::move(document) : Json();
  };
  return {{"pipeline", spec.name},
          {"steps", std::move(steps)},
          {"monitor", embedded(spec.monitor)},
          {"retrain", embedded(spec.retrain)},
          {"warnings", spec.warnings}};
}

absl::StatusOr<PipelineSpec> pipeline_from_json(const Json& document) {
  try {
    PipelineSpec spec;
    spec.name = document.at("pipeline").get<std::string>();
    for (const Json& step : document.at("steps")) {
      spec.steps.push_back(
          {step.at("step").get<std::string>(), base::dump_json(step.at("settings"))});
    }
    spec.monitor = base::dump_json(document.at("monitor"));
    spec.retrain = base::dump_json(document.at("retrain"));
    spec.warnings = document.at("warnings").get<std::vector<std::string>>();
    return spec;
  } catch (const Json::exception&) {
    return base::damaged("a stored pipeline cannot be read", "apply its file once more");
  }
}

}  // namespace cromford::flow
