#include "flow/pipeline_file.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/status.h"
#include "testing/status_matchers.h"

namespace cromford::flow {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::StatusIs;

// The example of the contract with the user, word for word.
constexpr std::string_view kExample = R"(pipeline: flights-late
dataset:
  name: flights
  source: {file: flights-3m.parquet}
  query: select date, origin, destination, distance, delay >= 15 as late from input
  checks:
    - {column: distance, between: [10, 6000], on_fail: quarantine}
    - {column: origin, not_null: true, on_fail: reject}
train:
  target: late
  time_column: date
  metric: auc
  budget: {time: 60s, memory: 4GiB}
gate:
  - auc >= 0.65
  - calibration_error <= 0.03
  - better_than_champion: {metric: log_loss, confidence: 0.95}
deploy: {endpoint: flights-late, strategy: canary, percent: 10}
monitor: {window: 1d, outcome_delay: 6h}
retrain: {when: [quality, {every: 14d}], window: auto, cooldown: 3d}
)";

PipelineWords words() {
  return {.metrics = {"auc", "log_loss", "calibration_error", "rmse"},
          .learners = {"linear", "boosting"},
          .formats = {"csv", "parquet"}};
}

TEST(PipelineFileTest, TheExampleOfTheContractIsUnderstood) {
  ASSERT_OK_AND_ASSIGN(const PipelineSpec spec, parse_pipeline(kExample, words()));
  EXPECT_EQ(spec.name, "flights-late");
  ASSERT_EQ(spec.steps.size(), 4U);
  EXPECT_EQ(spec.steps[0].name, "dataset");
  EXPECT_EQ(
      spec.steps[0].settings,
      R"({"checks":[{"between":[10,6000],"column":"distance","on_fail":"quarantine"},)"
      R"({"column":"origin","not_null":true,"on_fail":"reject"}],"name":"flights",)"
      R"("query":"select date, origin, destination, distance, delay >= 15 as late from input",)"
      R"("source":{"file":"flights-3m.parquet"}})");
  EXPECT_EQ(spec.steps[1].name, "train");
  EXPECT_EQ(spec.steps[1].settings,
            R"({"budget":{"memory":"4GiB","time":"60s"},"dataset":"flights","metric":"auc",)"
            R"("model":"flights-late","target":"late","time_column":"date"})");
  EXPECT_EQ(spec.steps[2].name, "gate");
  EXPECT_EQ(
      spec.steps[2].settings,
      R"({"endpoint":"flights-late","rules":[{"comparison":">=","metric":"auc","value":0.65},)"
      R"({"comparison":"<=","metric":"calibration_error","value":0.03},)"
      R"({"better_than_champion":{"confidence":0.95,"metric":"log_loss"}}]})");
  EXPECT_EQ(spec.steps[3].name, "deploy");
  EXPECT_EQ(spec.steps[3].settings,
            R"({"endpoint":"flights-late","percent":10,"strategy":"canary"})");
  EXPECT_EQ(spec.monitor, R"({"outcome_delay":"6h","window":"1d"})");
  EXPECT_EQ(spec.retrain,
            R"({"cooldown":"3d","when":["quality",{"every":"14d"}],"window":"auto"})");
  EXPECT_TRUE(spec.warnings.empty());
}

TEST(PipelineFileTest, JsonGivesTheSpecBack) {
  ASSERT_OK_AND_ASSIGN(const PipelineSpec spec, parse_pipeline(kExample));
  ASSERT_OK_AND_ASSIGN(const PipelineSpec again, pipeline_from_json(to_json(spec)));
  EXPECT_EQ(again, spec);
  EXPECT_THAT(pipeline_from_json(base::Json::object()), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(pipeline_from_json(3), StatusIs(absl::StatusCode::kDataLoss));
}

TEST(PipelineFileTest, DefaultsAreFilledIn) {
  ASSERT_OK_AND_ASSIGN(const PipelineSpec spec,
                       parse_pipeline("pipeline: p\n"
                                      "train: {dataset: d@3, target: y, model: m, seed: 7,\n"
                                      "        ignore: id, learners: [linear]}\n"
                                      "deploy: {endpoint: e}\n",
                                      words()));
  ASSERT_EQ(spec.steps.size(), 2U);
  EXPECT_EQ(spec.steps[0].settings,
            R"({"dataset":"d@3","ignore":["id"],"learners":["linear"],"model":"m","seed":7,)"
            R"("target":"y"})");
  EXPECT_EQ(spec.steps[1].settings, R"({"endpoint":"e","strategy":"direct"})");
  EXPECT_EQ(spec.monitor, "null");
  EXPECT_TRUE(spec.warnings.empty());
  ASSERT_OK_AND_ASSIGN(const PipelineSpec deployment,
                       parse_pipeline("pipeline: p\ndeploy: {endpoint: e, strategy: canary, "
                                      "model: m@2}\n"));
  EXPECT_EQ(deployment.steps[0].settings,
            R"({"endpoint":"e","model":"m@2","percent":10,"strategy":"canary"})");
}

// One mistake, and the beginning of the message that it must give.
struct Mistake {
  std::string_view file;
  std::string_view message;
};

constexpr std::string_view kHead = "pipeline: p\ndataset:\n  name: d\n  source: {file: f.csv}\n";

class MistakeTest : public ::testing::TestWithParam<Mistake> {};

TEST_P(MistakeTest, IsNamedWithLineAndKey) {
  const absl::Status status = parse_pipeline(GetParam().file, words()).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument,
                               HasSubstr(std::string(GetParam().message))))
      << GetParam().file;
}

INSTANTIATE_TEST_SUITE_P(
    File, MistakeTest,
    ::testing::Values(Mistake{"", "line 1: here should stand keys with values, not nothing"},
                      Mistake{"- a\n", "line 1: here should stand keys with values, not a list"},
                      Mistake{"pipeline: p\n", "line 1: the file has no step"},
                      Mistake{"dataset: {name: d, source: {file: f}}\n",
                              "line 1, pipeline: this key is missing"},
                      Mistake{"pipeline: P!\ndataset: {name: d, source: {file: f}}\n",
                              "line 1, pipeline: 'P!' cannot be the name of a pipeline"},
                      Mistake{"pipeline: [p]\ndataset: {name: d, source: {file: f}}\n",
                              "line 1, pipeline: here should stand a text, not a list"},
                      Mistake{"pipeline: p\ndatset: {}\ntrain: {dataset: d, target: y}\n",
                              "line 2, datset: this key is not known (did you mean 'dataset'?)"}));

INSTANTIATE_TEST_SUITE_P(
    Dataset, MistakeTest,
    ::testing::Values(
        Mistake{"pipeline: p\ndataset: x\n",
                "line 2, dataset: here should stand keys with values, not a single value"},
        Mistake{"pipeline: p\ndataset:\n  source: {file: f}\n", "line 3, dataset.name: this key"},
        Mistake{"pipeline: p\ndataset:\n  name: d\n", "line 3, dataset.source: this key"},
        Mistake{"pipeline: p\ndataset:\n  name: d\n  source: {file: f, url: u}\n",
                "line 4, dataset.source: here should stand exactly one of file, files and url"},
        Mistake{"pipeline: p\ndataset:\n  name: d\n  source: {fil: f}\n",
                "line 4, dataset.source.fil: this key is not known (did you mean 'file'?)"},
        Mistake{"pipeline: p\ndataset:\n  name: d\n  source: {files: []}\n",
                "line 4, dataset.source.files: the list is empty"},
        Mistake{"pipeline: p\ndataset:\n  name: d\n  source: {files: [a, [b]]}\n",
                "line 4, dataset.source.files[1]: here should stand a text, not a list"},
        Mistake{"pipeline: p\ndataset:\n  name: d\n  source: {file: f}\n  format: cvs\n",
                "line 5, dataset.format: 'cvs' is not known here (did you mean 'csv'?)"},
        Mistake{"pipeline: p\ndataset:\n  name: d\n  source: {file: f}\n  mode: apend\n",
                "line 5, dataset.mode: 'apend' is not known here (did you mean 'append'?)"},
        Mistake{"pipeline: p\ndataset:\n  name: d\n  source: {file: f}\n  query: ''\n",
                "line 5, dataset.query: here should stand a text, not an empty one"}));

#define CHECK_MISTAKE(rule, message)                                                       \
  Mistake {                                                                                \
    "pipeline: p\ndataset:\n  name: d\n  source: {file: f}\n  checks: " rule "\n", message \
  }

INSTANTIATE_TEST_SUITE_P(
    Checks, MistakeTest,
    ::testing::Values(
        CHECK_MISTAKE("5", "line 5, dataset.checks: here should stand a list of rules"),
        CHECK_MISTAKE("[5]", "line 5, dataset.checks[0]: here should stand keys"),
        CHECK_MISTAKE("[{column: a}]", "dataset.checks[0]: a rule needs exactly one of not_null"),
        CHECK_MISTAKE("[{column: a, not_null: true, in: [1]}]", "needs exactly one of"),
        CHECK_MISTAKE("[{column: a, betwen: [1, 2]}]",
                      "checks[0].betwen: this key is not known (did you mean 'between'?)"),
        CHECK_MISTAKE("[{column: a, between: [1]}]",
                      "checks[0].between: here should stand the two"),
        CHECK_MISTAKE("[{column: a, between: [null, null]}]", "checks[0].between: here should"),
        CHECK_MISTAKE("[{column: a, not_null: 1}]", "checks[0].not_null: here should stand true"),
        CHECK_MISTAKE("[{column: a, in: []}]", "checks[0].in: here should stand a list of values"),
        CHECK_MISTAKE("[{column: a, matches: [x]}]", "checks[0].matches: here should stand a text"),
        CHECK_MISTAKE("[{column: a, min_length: -1}]", "checks[0].min_length: here should stand a"),
        CHECK_MISTAKE("[{not_null: true}]", "checks[0].column: this key is missing"),
        CHECK_MISTAKE("[{column: a, sql: a > 1}]",
                      "checks[0].column: a rule with sql speaks of no"),
        CHECK_MISTAKE("[{columns: [a, b], not_null: true}]",
                      "checks[0].columns: a rule with not_null takes one column"),
        CHECK_MISTAKE("[{column: a, not_null: true, on_fail: rejct}]",
                      "checks[0].on_fail: 'rejct' is not known here (did you mean 'reject'?)"),
        CHECK_MISTAKE("[{column: a, not_null: true, tolerance: 200%}]",
                      "checks[0].tolerance: here should stand a share")));

INSTANTIATE_TEST_SUITE_P(
    Train, MistakeTest,
    ::testing::Values(
        Mistake{"pipeline: p\ntrain: {target: y}\n", "line 2, train.dataset: this key is missing"},
        Mistake{"pipeline: p\ntrain: {dataset: D, target: y}\n",
                "line 2, train.dataset: 'D' cannot"},
        Mistake{"pipeline: p\ntrain: {dataset: d}\n", "line 2, train.target: this key is missing"},
        Mistake{"pipeline: p\ntrain: {dataset: d, target: y, task: binry}\n",
                "line 2, train.task: 'binry' is not known here (did you mean 'binary'?)"},
        Mistake{"pipeline: p\ntrain: {dataset: d, target: y, metric: logloss}\n",
                "line 2, train.metric: there is no metric 'logloss' (did you mean 'log_loss'?)"},
        Mistake{"pipeline: p\ntrain: {dataset: d, target: y, learners: [bosting]}\n",
                "line 2, train.learners: there is no learner 'bosting' (did you mean 'boosting'?)"},
        Mistake{"pipeline: p\ntrain: {dataset: d, target: y, seed: x}\n",
                "line 2, train.seed: here should stand a whole number"},
        Mistake{"pipeline: p\ntrain:\n  dataset: d\n  target: y\n  budget:\n    time: 60x\n",
                "line 6, train.budget.time: '60x' is not a duration"},
        Mistake{"pipeline: p\ntrain: {dataset: d, target: y, budget: {time: 0s}}\n",
                "line 2, train.budget.time: it must be longer than nothing"},
        Mistake{"pipeline: p\ntrain: {dataset: d, target: y, budget: {memory: lots}}\n",
                "line 2, train.budget.memory: 'lots' is not a size"},
        Mistake{"pipeline: p\ntrain: {dataset: d, target: y, budget: {trials: 0}}\n",
                "line 2, train.budget.trials: here should stand a whole number from 1"},
        Mistake{"pipeline: p\ntrain: {dataset: d, target: y, budget: 60s}\n",
                "line 2, train.budget: here should stand keys with values, not a single value"},
        Mistake{"pipeline: p\ntrain: {dataset: d, taget: y}\n",
                "train.taget: this key is not known (did you mean 'target'?)"}));

#define GATE_MISTAKE(gate, message)                                          \
  Mistake {                                                                  \
    "pipeline: p\ntrain: {dataset: d, target: y}\ngate: " gate "\n", message \
  }

INSTANTIATE_TEST_SUITE_P(
    Gate, MistakeTest,
    ::testing::Values(
        GATE_MISTAKE("auc >= 0.6", "line 3, gate: here should stand a list of rules"),
        GATE_MISTAKE("[auc]", "line 3, gate[0]: 'auc' is not a rule of a gate"),
        GATE_MISTAKE("['auc => 0.6']", "line 3, gate[0]: 'auc => 0.6' is not a rule of a gate"),
        GATE_MISTAKE("[auc >= high]", "line 3, gate[0]: 'auc >= high' is not a rule of a gate"),
        GATE_MISTAKE("['>= 0.6']", "line 3, gate[0]"),
        GATE_MISTAKE("[acu >= 0.6]", "gate[0]: there is no metric 'acu' (did you mean 'auc'?)"),
        GATE_MISTAKE("[{beter_than_champion: {metric: auc}}]",
                     "gate[0].beter_than_champion: this key is not known (did you mean"),
        GATE_MISTAKE("[{better_than_champion: {metric: auc}}]",
                     "better_than_champion: the champion is what an endpoint serves"),
        GATE_MISTAKE("[{better_than_champion: {confidence: 0.9}}]",
                     "better_than_champion.metric: this key is missing"),
        GATE_MISTAKE("[{better_than_champion: {metric: auc, confidence: 95}}]",
                     "better_than_champion.confidence: here should stand a number from 0.5"),
        Mistake{"pipeline: p\ndataset: {name: d, source: {file: f}}\ngate: [auc >= 0.6]\n",
                "line 3, gate: a gate judges the model that the section train makes"}));

INSTANTIATE_TEST_SUITE_P(
    DeployMonitorRetrain, MistakeTest,
    ::testing::Values(
        Mistake{"pipeline: p\ndeploy: {endpoint: e}\n",
                "line 2, deploy.model: this key is missing"},
        Mistake{"pipeline: p\ndeploy: {model: m}\n",
                "line 2, deploy.endpoint: this key is missing"},
        Mistake{"pipeline: p\ndeploy: {model: m@0, endpoint: e}\n",
                "line 2, deploy.model: '0' is not a version"},
        Mistake{"pipeline: p\ndeploy: {model: m, endpoint: e, strategy: cannary}\n",
                "line 2, deploy.strategy: 'cannary' is not known here (did you mean 'canary'?)"},
        Mistake{"pipeline: p\ndeploy: {model: m, endpoint: e, percent: 10}\n",
                "line 2, deploy.percent: only the strategy canary has a percentage"},
        Mistake{"pipeline: p\ndeploy: {model: m, endpoint: e, strategy: canary, percent: 0}\n",
                "line 2, deploy.percent: here should stand a whole number from 1 to 100"},
        Mistake{"pipeline: p\ntrain: {dataset: d, target: y}\ndeploy: {model: m, endpoint: e}\n",
                "line 3, deploy.model: the model is the one that the section train makes"},
        Mistake{"pipeline: p\ntrain: {dataset: d, target: y}\nmonitor: {window: 1d}\n",
                "line 3, monitor: this section speaks of an endpoint"},
        Mistake{"pipeline: p\ndeploy: {model: m, endpoint: e}\nmonitor: {windw: 1d}\n",
                "line 3, monitor.windw: this key is not known (did you mean 'window'?)"},
        Mistake{"pipeline: p\ndeploy: {model: m, endpoint: e}\nmonitor: {window: day}\n",
                "line 3, monitor.window: 'day' is not a duration"},
        Mistake{"pipeline: p\ndeploy: {model: m, endpoint: e}\nretrain: {cooldown: 3d}\n",
                "line 3, retrain.when: this key is missing"},
        Mistake{"pipeline: p\ndeploy: {model: m, endpoint: e}\nretrain: {when: qality}\n",
                "line 3, retrain.when: here should stand a list"},
        Mistake{"pipeline: p\ndeploy: {model: m, endpoint: e}\nretrain: {when: [qality]}\n",
                "retrain.when[0]: 'qality' is not known here (did you mean 'quality'?)"},
        Mistake{"pipeline: p\ndeploy: {model: m, endpoint: e}\nretrain: {when: [{evry: 1d}]}\n",
                "retrain.when[0].evry: this key is not known (did you mean 'every'?)"},
        Mistake{"pipeline: p\ndeploy: {model: m, endpoint: e}\nretrain: {when: [{every: 1}]}\n",
                "retrain.when[0].every: '1' is not a duration"}));

TEST(PipelineFileTest, AllMistakesAreFoundInOneGo) {
  const absl::Status status = parse_pipeline(std::string(kHead) +
                                                 "  qery: select 1\n"
                                                 "train:\n"
                                                 "  metric: acu\n"
                                                 "deploy: {endpoint: 'a/b'}\n",
                                             words())
                                  .status();
  EXPECT_EQ(base::message(status),
            "the pipeline file, line 5, dataset.qery: this key is not known (did you mean "
            "'query'?) (and 3 more)");
  const auto errors = base::field_errors(status);
  ASSERT_EQ(errors.size(), 4U);
  EXPECT_EQ(errors[0].pointer, "/dataset/qery");
  EXPECT_EQ(errors[1].pointer, "/train/target");
  EXPECT_EQ(errors[2].pointer, "/train/metric");
  EXPECT_EQ(errors[3].pointer, "/deploy/endpoint");
  EXPECT_THAT(errors[3].detail, HasSubstr("line 8: 'a/b' cannot be the name of an endpoint"));
}

TEST(PipelineFileTest, TheNumberOfReportedMistakesIsLimited) {
  std::string file = "pipeline: p\n";
  for (int i = 0; i < 1000; ++i) {
    file += "k" + std::to_string(i) + ": 1\n";
  }
  const absl::Status status = parse_pipeline(file).status();
  EXPECT_THAT(std::string(base::message(status)), HasSubstr("(and 1000 more)"));
  EXPECT_EQ(base::field_errors(status).size(), 50U);
}

}  // namespace
}  // namespace cromford::flow
