#include "model/package.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <numeric>
#include <thread>

#include "base/hash.h"
#include "base/status.h"
#include "model/format.h"
#include "model/sample_packages.h"
#include "testing/status_matchers.h"

namespace cromford::model {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::shared_ptr<const Package> load(const PackageParts& parts) {
  auto bytes = write_package(parts);
  EXPECT_OK(bytes.status());
  auto package = Package::load(*std::move(bytes));
  EXPECT_OK(package.status());
  return *package;
}

struct SampleRows {
  explicit SampleRows(size_t count, uint64_t seed = 9) : rows(sample_contract()) {
    std::mt19937_64 random(seed);
    fill_sample_rows(random, count, rows, texts);
  }
  RowBuffer rows;
  std::vector<std::string> texts;
};

std::vector<PackageParts> all_samples() {
  return {sample_binary(), sample_multiclass(), sample_regression()};
}

std::vector<double> flatten(const Predictions& p) {
  std::vector<double> all;
  for (const auto& part : {p.margins, p.probabilities, p.values, p.lower, p.upper}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  all.insert(all.end(), p.classes.begin(), p.classes.end());
  return all;
}

TEST(Package, KnowsWhatItWasMadeOf) {
  const auto package = load(sample_binary());
  EXPECT_EQ(package->task(), Task::kBinary);
  EXPECT_EQ(package->target(), "late");
  EXPECT_EQ(package->contract(), sample_contract());
  EXPECT_THAT(package->classes(), ElementsAre("false", "true"));
  EXPECT_EQ(package->positive_class(), 1);
  EXPECT_EQ(package->threshold(), 0.375);
  EXPECT_EQ(package->link(), Link::kLogistic);
  EXPECT_EQ(package->calibration().square, 0.125);
  EXPECT_EQ(package->interval().kind, IntervalKind::kNone);
  EXPECT_EQ(package->pipeline().feature_count(), kSampleFeatureCount);
  ASSERT_EQ(package->predictors().size(), 3U);
  EXPECT_EQ(package->predictors()[0].name, "trees");
  EXPECT_EQ(package->predictors()[0].kind, "forest");
  EXPECT_EQ(package->predictors()[0].tree_count, 9U);
  EXPECT_EQ(package->predictors()[2].kind, "linear");
  EXPECT_EQ(package->predictors()[2].feature_count, 20U);
  EXPECT_EQ(package->manifest().at("lineage").at("dataset"), "flights@1");
  EXPECT_EQ(package->baseline().columns[1].counts, (std::vector<uint64_t>{1, 2, 3, 4, 5}));
  EXPECT_GT(package->memory_bytes(), 1000U);
  EXPECT_GT(package->size_bytes(), 1000U);
  EXPECT_EQ(load(sample_regression())->positive_class(), -1);
}

TEST(Package, EqualPartsGiveEqualBytes) {
  for (const PackageParts& parts : all_samples()) {
    ASSERT_OK_AND_ASSIGN(const auto first, write_package(parts));
    ASSERT_OK_AND_ASSIGN(const auto second, write_package(parts));
    EXPECT_EQ(first, second);
  }
}

// A batch of n is n batches of one, bit for bit; so are several threads.
TEST(Package, ABatchIsItsRows) {
  for (const PackageParts& parts : all_samples()) {
    const auto package = load(parts);
    SampleRows sample(200);
    Workspace workspace;
    const Predictions all = package->predict(sample.rows.batch(), workspace);
    EXPECT_EQ(all.row_count, 200U);
    Workspace other;
    RowBuffer single(sample_contract());
    for (size_t i = 0; i < 200; ++i) {
      single.reset(1);
      const RowBatch batch = sample.rows.batch();
      for (size_t c = 0; c < batch.columns.size(); ++c) {
        if (!batch.columns[c].texts.empty()) {
          single.set_text(0, c, batch.columns[c].texts[i]);
        } else {
          single.set_number(0, c, batch.columns[c].numbers[i]);
        }
      }
      const Predictions one = package->predict(single.batch(), other);
      for (size_t o = 0; o < one.output_count; ++o) {
        EXPECT_EQ(one.margins[o], all.margins[i * one.output_count + o]);
      }
      for (size_t c = 0; c < one.class_count; ++c) {
        EXPECT_EQ(one.probabilities[c], all.probabilities[i * one.class_count + c]);
      }
      if (one.class_count > 0) {
        EXPECT_EQ(one.classes[0], all.classes[i]);
      } else {
        EXPECT_EQ(one.values[0], all.values[i]);
        EXPECT_EQ(one.lower[0], all.lower[i]);
        EXPECT_EQ(one.upper[0], all.upper[i]);
      }
    }
  }
}

TEST(Package, ThreadsShareIt) {
  const auto package = load(sample_multiclass());
  SampleRows sample(64);
  Workspace workspace;
  const std::vector<double> expected = flatten(package->predict(sample.rows.batch(), workspace));
  std::vector<std::thread> threads;
  std::vector<int> equal(4, 0);
  for (size_t t = 0; t < equal.size(); ++t) {
    threads.emplace_back([&, t] {
      Workspace own;
      Explanation explanation;
      for (int i = 0; i < 20; ++i) {
        package->explain(sample.rows.batch(), 3, 1, own, explanation);
        equal[t] += flatten(package->predict(sample.rows.batch(), own)) == expected ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_THAT(equal, ElementsAre(20, 20, 20, 20));
}

TEST(Package, AnswersAreSensible) {
  SampleRows sample(300);
  Workspace workspace;
  const auto binary = load(sample_binary());
  const Predictions b = binary->predict(sample.rows.batch(), workspace);
  for (size_t i = 0; i < b.row_count; ++i) {
    EXPECT_NEAR(b.probabilities[2 * i] + b.probabilities[2 * i + 1], 1.0, 1e-15);
    EXPECT_EQ(b.classes[i], b.probabilities[2 * i + 1] >= 0.375 ? 1U : 0U);
  }
  EXPECT_THAT(b.values, IsEmpty());
  EXPECT_GT(b.unseen[0], 0U);
  EXPECT_EQ(b.unseen[1], 0U);
  const auto multiclass = load(sample_multiclass());
  const Predictions m = multiclass->predict(sample.rows.batch(), workspace);
  for (size_t i = 0; i < m.row_count; ++i) {
    const auto row = m.probabilities.subspan(3 * i, 3);
    EXPECT_NEAR(std::accumulate(row.begin(), row.end(), 0.0), 1.0, 1e-15);
    EXPECT_EQ(row[m.classes[i]], *std::ranges::max_element(row));
  }
  const auto regression = load(sample_regression());
  const Predictions r = regression->predict(sample.rows.batch(), workspace);
  for (size_t i = 0; i < r.row_count; ++i) {
    EXPECT_LT(r.lower[i], r.values[i]);
    EXPECT_LT(r.values[i], r.upper[i]);
  }
  EXPECT_THAT(r.classes, IsEmpty());
  EXPECT_EQ(regression->predict({}, workspace).row_count, 0U);
}

// margin == baseline + contributions, and the margin is that of predict().
TEST(Package, ExplanationsAddUp) {
  for (const PackageParts& parts : all_samples()) {
    const auto package = load(parts);
    SampleRows sample(40);
    Workspace workspace;
    const Predictions all = package->predict(sample.rows.batch(), workspace);
    const std::vector<double> margins(all.margins.begin(), all.margins.end());
    const std::vector<uint32_t> classes(all.classes.begin(), all.classes.end());
    const auto outputs = static_cast<uint32_t>(all.output_count);
    Explanation explanation;
    for (size_t i = 0; i < 40; ++i) {
      for (uint32_t output = 0; output < outputs; ++output) {
        package->explain(sample.rows.batch(), i, output, workspace, explanation);
        EXPECT_EQ(explanation.output, output);
        EXPECT_EQ(explanation.margin, margins[i * outputs + output]);
        EXPECT_EQ(explanation.contributions.size(), package->contract().size());
        EXPECT_NEAR(std::accumulate(explanation.contributions.begin(),
                                    explanation.contributions.end(), explanation.baseline),
                    explanation.margin, 1e-9);
      }
      package->explain(sample.rows.batch(), i, Package::kPredictedClass, workspace, explanation);
      EXPECT_EQ(explanation.output, outputs > 1 ? classes[i] : 0U);
    }
  }
}

// The feature that two columns share gives half of its contribution to each.
TEST(Package, PairsShareTheirContribution) {
  PackageParts parts;
  parts.task = Task::kRegression;
  parts.contract = {{"a", InputType::kNumber}, {"b", InputType::kNumber}};
  parts.pipeline.transforms = {NumberTransform{.column = 0}, PairTransform{.left = 0, .right = 1}};
  parts.predictors.push_back(
      {.name = "linear",
       .features = {0, 1},
       .body = LinearParts{
           .bias = {1.0}, .mean = {0.0, 0.0}, .impute = {0.0, 0.0}, .weights = {1.0, 2.0}}});
  const auto package = load(parts);
  RowBuffer rows(parts.contract);
  rows.reset(1);
  rows.set_number(0, 0, 5.0);
  rows.set_number(0, 1, 2.0);
  Workspace workspace;
  Explanation explanation;
  package->explain(rows.batch(), 0, 0, workspace, explanation);
  EXPECT_THAT(explanation.contributions, ElementsAre(8.0, 3.0));
  EXPECT_EQ(explanation.baseline, 1.0);
  EXPECT_EQ(explanation.margin, 12.0);
  EXPECT_THAT(top_columns(explanation, 1), ElementsAre(0U));
}

TEST(Package, TopColumnsAreSortedAndNotZero) {
  Explanation explanation;
  explanation.contributions = {0.5, -2.0, 0.0, 2.0, 1.0};
  EXPECT_THAT(top_columns(explanation, 9), ElementsAre(1U, 3U, 4U, 0U));
  EXPECT_THAT(top_columns(explanation, 2), ElementsAre(1U, 3U));
}

TEST(Package, AConstantNeedsNoFeature) {
  PackageParts parts;
  parts.task = Task::kBinary;
  parts.contract = {{"a", InputType::kNumber}};
  parts.classes = {"no", "yes"};
  parts.link = Link::kLogistic;
  parts.predictors.push_back({.name = "baseline", .body = LinearParts{.bias = {0.0}}});
  parts.predictors.push_back(
      {.name = "empty forest",
       .body = ForestParts{.base = {0.0}, .trees = {{.nodes = {{.values = {0.0F}}}}}}});
  const auto package = load(parts);
  RowBuffer rows(parts.contract);
  rows.reset(3);
  Workspace workspace;
  EXPECT_THAT(package->predict(rows.batch(), workspace).probabilities,
              ElementsAre(0.5, 0.5, 0.5, 0.5, 0.5, 0.5));
}

TEST(PackageWriter, RefusesPartsThatDoNotFit) {
  struct Case {
    std::function<void(PackageParts&)> damage;
    const char* message;
  };
  const std::vector<Case> cases = {
      {[](PackageParts& p) { p.classes = {"a"}; }, "1 classes for the task binary"},
      {[](PackageParts& p) { p.classes = {"a", "a"}; }, "two classes have one name"},
      {[](PackageParts& p) { p.contract[1].name = "origin"; }, "name of column 1"},
      {[](PackageParts& p) { p.contract[1].name = ""; }, "name of column 1"},
      {[](PackageParts& p) { p.contract[1].name = "\xff"; }, "name of column 1"},
      {[](PackageParts& p) { p.contract[1].type = InputType{77}; }, "type of column 'distance'"},
      {[](PackageParts& p) { p.target = "\xff"; }, "target is not UTF-8"},
      {[](PackageParts& p) { p.task = Task{9}; }, "task does not exist"},
      {[](PackageParts& p) { p.pipeline.transforms.pop_back(); }, "reads feature"},
      {[](PackageParts& p) { p.predictors.clear(); }, "no predictor"},
      {[](PackageParts& p) { p.predictors[0].features[0] = p.predictors[0].features[1]; },
       "predictor 'trees': it reads feature"},
      {[](PackageParts& p) { p.predictors[0].weight = NAN; }, "weight is not finite"},
      {[](PackageParts& p) { p.predictors[0].role = PredictorRole::kScale; },
       "scaled intervals only"},
      {[](PackageParts& p) { std::get<ForestParts>(p.predictors[0].body).base = {}; },
       "predictor 'trees': the forest has 0 base"},
      {[](PackageParts& p) {
         auto& forest = std::get<ForestParts>(p.predictors[0].body);
         forest.output_count = 2;
         forest.base = {0.0, 0.0};
       },
       "2 outputs, and the model 1"},
      {[](PackageParts& p) { p.predictors[2].features.pop_back(); }, "19 features"},
      {[](PackageParts& p) { p.link = Link::kSoftmax; }, "does not fit the task binary"},
      {[](PackageParts& p) { p.calibration.offset.clear(); }, "as many offsets"},
      {[](PackageParts& p) { p.calibration.scale[0] = NAN; }, "calibration is not finite"},
      {[](PackageParts& p) { p.interval.kind = IntervalKind::kConstant; }, "only a regression"},
      {[](PackageParts& p) { p.threshold = 1.0; }, "threshold"},
      {[](PackageParts& p) { p.baseline.columns.pop_back(); }, "baseline has 5 columns"},
      {[](PackageParts& p) { p.manifest = "[1]"; }, "not a JSON object"},
      {[](PackageParts& p) { p.manifest = "{"; }, "not JSON"},
      {[](PackageParts& p) {
         p.manifest = "{\"a\":\"" + std::string(size_t{17} * 1024 * 1024, 'x') + "\"}";
       },
       "the limit is 16777216"},
  };
  for (const Case& c : cases) {
    PackageParts parts = sample_binary();
    c.damage(parts);
    EXPECT_THAT(write_package(parts).status(),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(c.message)));
  }
  PackageParts parts = sample_regression();
  parts.predictors.pop_back();
  EXPECT_THAT(write_package(parts).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("scaled intervals only")));
}

// --- files ---

absl::Status load_error(std::vector<std::byte> bytes) {
  return Package::load(std::move(bytes)).status();
}

std::vector<std::byte> sample_bytes() {
  return write_package(sample_binary()).value();
}

TEST(PackageFile, OpensByPathAndNamesThePathInErrors) {
  const std::string path = ::testing::TempDir() + "/sample.package";
  const std::vector<std::byte> bytes = sample_bytes();
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  ASSERT_OK_AND_ASSIGN(const auto package, Package::open(path));
  EXPECT_EQ(package->size_bytes(), bytes.size());
  EXPECT_THAT(Package::open(path + ".absent").status(),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("absent")));
  std::ofstream(path, std::ios::binary) << "hello";
  EXPECT_THAT(Package::open(path).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("sample.package")));
}

TEST(PackageFile, LoadsFromAnyAddress) {
  const std::vector<std::byte> bytes = sample_bytes();
  std::vector<std::byte> shifted(1);
  shifted.insert(shifted.end(), bytes.begin(), bytes.end());
  EXPECT_OK(Package::load(std::span<const std::byte>(shifted).subspan(1), nullptr).status());
}

TEST(PackageFile, SaysWhatIsWrong) {
  EXPECT_THAT(load_error({}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not a model package")));
  std::vector<std::byte> bytes = sample_bytes();
  bytes.resize(20);
  EXPECT_THAT(load_error(bytes), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("header")));
  bytes = sample_bytes();
  bytes.pop_back();
  EXPECT_THAT(load_error(bytes), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("should have")));
  bytes = sample_bytes();
  bytes.push_back(std::byte{0});
  EXPECT_THAT(load_error(bytes), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("should have")));
  renew_checksums(bytes);
  EXPECT_THAT(load_error(bytes), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("behind")));
  bytes = sample_bytes();
  bytes[8] = std::byte{2};  // the format version
  EXPECT_THAT(load_error(bytes), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("header")));
  renew_checksums(bytes);
  EXPECT_THAT(load_error(bytes),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("format version 2")));
  EXPECT_FALSE(base::remedy(load_error(bytes)).empty());
  bytes = sample_bytes();
  bytes[64] = std::byte{2};  // the kind of the first section
  renew_checksums(bytes);
  EXPECT_THAT(load_error(bytes),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("0 sections 'model'")));
  bytes = sample_bytes();
  bytes[64 + 4] = std::byte{1};  // its index
  renew_checksums(bytes);
  EXPECT_THAT(load_error(bytes), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("numbered")));
}

TEST(PackageFile, ChecksTheOrderOfItsSections) {
  std::vector<Section> sections;
  for (const SectionKind kind :
       {SectionKind::kModel, SectionKind::kAnswer, SectionKind::kPipeline}) {
    sections.push_back({.kind = kind});
  }
  EXPECT_THAT(load_error(write_frame(sections)),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("0 sections 'pipeline'")));
  EXPECT_THAT(load_error(write_frame({})),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("0 sections 'model'")));
}

TEST(PackageFile, EveryChangedByteIsFound) {
  std::vector<std::byte> bytes = sample_bytes();
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (const auto flip : {std::byte{1}, std::byte{0x80}, std::byte{0xff}}) {
      bytes[i] ^= flip;
      EXPECT_FALSE(read_frame(bytes).ok()) << i;
      bytes[i] ^= flip;
    }
  }
  EXPECT_OK(read_frame(bytes).status());
}

TEST(PackageFile, EveryTruncationIsFound) {
  const std::vector<std::byte> bytes = sample_bytes();
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(read_frame(std::span(bytes).first(size)).ok()) << size;
  }
}

// Behind the checksums: whatever still loads must be safe to use.
TEST(PackageFile, EveryChangedByteBehindTheChecksumsIsRefusedOrHarmless) {
  SampleRows sample(3);
  Workspace workspace;
  Explanation explanation;
  size_t loaded = 0;
  for (const PackageParts& parts : all_samples()) {
    const std::vector<std::byte> good = write_package(parts).value();
    for (size_t i = 64; i < good.size(); ++i) {
      std::vector<std::byte> bytes = good;
      bytes[i] ^= (i % 3 == 0) ? std::byte{0xff} : (i % 3 == 1) ? std::byte{1} : std::byte{0x80};
      renew_checksums(bytes);
      const auto package = Package::load(std::move(bytes));
      if (!package.ok() || (*package)->contract().size() != 6) {
        continue;
      }
      bool same_types = true;
      for (size_t c = 0; c < 6; ++c) {
        same_types = same_types && (*package)->contract()[c].type == parts.contract[c].type;
      }
      if (same_types) {
        ++loaded;
        const Predictions out = (*package)->predict(sample.rows.batch(), workspace);
        for (const double value : flatten(out)) {
          ASSERT_TRUE(std::isfinite(value)) << i;
        }
        (*package)->explain(sample.rows.batch(), 1, 0, workspace, explanation);
      }
    }
  }
  EXPECT_GT(loaded, 1000U);
}

// --- the promise of the format ---

std::string golden_path(std::string_view name) {
  return std::string(CROMFORD_SOURCE_DIR) + "/src/model/testdata/" + std::string(name);
}

// Written by format version 1; it must load for ever, and answer the same bits for ever. To write
// the files of a new version: CROMFORD_WRITE_GOLDEN=1 model_test --gtest_filter=Golden.*
TEST(Golden, FilesOfVersion1KeepLoading) {
  const std::vector<std::pair<std::string, PackageParts>> samples = {
      {"binary_v1.package", sample_binary()},
      {"multiclass_v1.package", sample_multiclass()},
      {"regression_v1.package", sample_regression()}};
  std::string all;
  for (const auto& [name, parts] : samples) {
    ASSERT_OK_AND_ASSIGN(const std::vector<std::byte> bytes, write_package(parts));
    if (std::getenv("CROMFORD_WRITE_GOLDEN") != nullptr) {
      std::ofstream(golden_path(name), std::ios::binary)
          .write(reinterpret_cast<const char*>(bytes.data()),
                 static_cast<std::streamsize>(bytes.size()));
    }
    ASSERT_OK_AND_ASSIGN(const auto package, Package::open(golden_path(name)));
    EXPECT_EQ(package->size_bytes(), bytes.size()) << "the writer changed: raise the version";
    SampleRows sample(100, 77);
    Workspace workspace;
    for (const double value : flatten(package->predict(sample.rows.batch(), workspace))) {
      all += fmt::format("{}\n", value);
    }
  }
  EXPECT_EQ(base::content_hash(all).text(),
            "343ad14b6af7ff017fc967d025ef9bff0b88c94763196aa53c87097186497826");
}

}  // namespace
}  // namespace cromford::model
