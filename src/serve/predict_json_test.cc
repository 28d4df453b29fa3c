#include "serve/predict_json.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/text.h"
#include "serve/serve_fixture_test.h"

namespace cromford::serve {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class PredictJson : public ServeFixture {
 protected:
  absl::StatusOr<std::string> answer(std::string_view body, bool ignore_unknown = false) {
    std::string out = "kept ";
    const absl::Status status = predict_json(
        context(), *late_, {.body = body, .ignore_unknown = ignore_unknown}, scratch_, out);
    EXPECT_TRUE(status.ok() || out == "kept ") << out;
    if (!status.ok()) {
      return status;
    }
    return out.substr(5);
  }
  base::Json json(std::string_view body) {
    const auto text = answer(body);
    EXPECT_OK(text);
    return text.ok() ? base::parse_json(*text).value_or(base::Json()) : base::Json();
  }
  std::vector<std::string> pointers(const absl::Status& status) {
    std::vector<std::string> result;
    for (const base::FieldError& error : base::field_errors(status)) {
      result.push_back(error.pointer);
    }
    return result;
  }
  static std::string number(double value) {
    std::string text;
    base::append_number(text, value);
    return text;
  }

  std::shared_ptr<const Endpoint> late_ = endpoint(late_package());
};

TEST_F(PredictJson, AnswersInTheShapeOfTheContract) {
  const std::string p = number(late_probability(500, "ORD"));
  const std::string q = number(1.0 - late_probability(500, "ORD"));
  EXPECT_EQ(*answer(R"({"rows":[{"origin":"ORD","distance":500}],"ids":["order-17"],)"
                    R"("at":["2001-02-01T10:00:00Z"]})"),
            fmt::format(R"({{"endpoint":"late","predictions":[{{"id":"order-17","model_version":3,)"
                        R"("value":"true","probability":{0},)"
                        R"("probabilities":{{"false":{1},"true":{0}}}}}]}})",
                        p, q));
}

TEST_F(PredictJson, AnswersRowsInOrder) {
  const base::Json out = json(R"({"rows":[{"distance":500,"origin":"ATL"},{"distance":100},
      {"origin":"never seen"},{}, {"distance":null,"origin":"","weekend":true,
      "booked":"2001-02-28","departs":"2001-02-28T10:00:00+02:00"}]})");
  ASSERT_EQ(out["predictions"].size(), 5U);
  EXPECT_EQ(out["predictions"][0]["probability"], 0.5);
  EXPECT_EQ(out["predictions"][1]["probability"], late_probability(100, ""));
  EXPECT_EQ(out["predictions"][1]["value"], "false");
  for (const size_t row : {2U, 3U, 4U}) {
    EXPECT_EQ(out["predictions"][row]["probability"], 0.5);
  }
}

TEST_F(PredictJson, MakesIdsInOrder) {
  const base::Json out = json(R"({"rows":[{},{},{}]})");
  std::string before;
  for (const base::Json& prediction : out["predictions"]) {
    const auto id = prediction["id"].get<std::string>();
    EXPECT_TRUE(base::is_id(id)) << id;
    EXPECT_GT(id, before);
    before = id;
  }
}

TEST_F(PredictJson, TakesAnyCallersId) {
  const base::Json out = json(R"({"ids":["ü\"","same","same"],"rows":[{},{},{}]})");
  EXPECT_EQ(out["predictions"][0]["id"], "ü\"");
  EXPECT_EQ(out["predictions"][2]["id"], "same");
}

TEST_F(PredictJson, AnswersNoRows) {
  EXPECT_EQ(*answer(R"({"rows":[]})"), R"({"endpoint":"late","predictions":[]})");
  EXPECT_EQ(*answer(R"({"rows":[],"ids":[],"at":null,"explain":null})"),
            R"({"endpoint":"late","predictions":[]})");
}

TEST_F(PredictJson, GivesReasons) {
  base::Json out = json(R"({"explain":5,"rows":[{"origin":"ORD","distance":450},{}]})");
  const base::Json& reasons = out["predictions"][0]["reasons"];
  ASSERT_EQ(reasons.size(), 2U);
  EXPECT_EQ(reasons[0]["column"], "origin");
  EXPECT_EQ(reasons[0]["value"], "ORD");
  EXPECT_NEAR(reasons[0]["contribution"].get<double>(), 1.0, 1e-6);
  EXPECT_EQ(reasons[1]["column"], "distance");
  EXPECT_EQ(reasons[1]["value"], 450.0);
  EXPECT_NEAR(reasons[1]["contribution"].get<double>(), -0.5, 1e-6);
  EXPECT_EQ(out["predictions"][1]["reasons"].size(), 0U);
  out = json(R"({"explain":1,"rows":[{"origin":"ORD","distance":450}]})");
  EXPECT_EQ(out["predictions"][0]["reasons"].size(), 1U);
  EXPECT_FALSE(json(R"({"explain":0,"rows":[{}]})")["predictions"][0].contains("reasons"));
}

TEST_F(PredictJson, ShowsRawValuesInReasons) {
  model::PackageParts parts = late_parts();
  parts.pipeline.transforms.emplace_back(model::NumberTransform{.column = 3});
  parts.pipeline.transforms.emplace_back(model::NumberTransform{.column = 4});
  parts.predictors[0].features = {2, 3, 4, 0};
  parts.predictors[0].body = model::LinearParts{.output_count = 1,
                                                .bias = {0.0},
                                                .mean = {0.0, 0.0, 0.0, 500.0},
                                                .impute = {0.0, 0.0, 0.0, 400.0},
                                                .weights = {0.5, 1e-9, 2e-9, 0.01}};
  late_ = endpoint(load_known(parts));
  const base::Json out = json(R"({"explain":9,"rows":[{"weekend":true,"booked":"2001-02-28",
      "departs":"2001-02-28T10:00:00+02:00"}]})");
  std::map<std::string, base::Json> values;
  for (const base::Json& reason : out["predictions"][0]["reasons"]) {
    values[reason["column"]] = reason["value"];
  }
  EXPECT_EQ(values["weekend"], true);
  EXPECT_EQ(values["booked"], "2001-02-28");
  EXPECT_EQ(values["departs"], "2001-02-28T08:00:00Z");
  EXPECT_TRUE(values.contains("distance") && values["distance"].is_null());
}

TEST_F(PredictJson, AnswersRegression) {
  late_ = endpoint(sum_package());
  EXPECT_EQ(*answer(R"({"rows":[{"x0":2.5,"x1":-1,"x2":false}],"ids":["a"]})"),
            R"({"endpoint":"late","predictions":[{"id":"a","model_version":3,"value":16,)"
            R"("lower":15,"upper":19}]})");
}

TEST_F(PredictJson, AnswersMulticlass) {
  late_ = endpoint(colour_package());
  const base::Json prediction = json(R"({"rows":[{"x":-2}]})")["predictions"][0];
  EXPECT_EQ(prediction["value"], "blau/grün");
  EXPECT_FALSE(prediction.contains("probability"));
  const double sum = std::exp(-2) + 1 + std::exp(2);
  EXPECT_NEAR(prediction["probabilities"]["red"].get<double>(), std::exp(-2) / sum, 1e-12);
  EXPECT_NEAR(prediction["probabilities"]["\"green\""].get<double>(), 1 / sum, 1e-12);
}

TEST_F(PredictJson, NamesRowAndColumnOfAWrongType) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"({"distance":"far"})", R"(column 'distance': a number is expected, not the text "far")"},
      {R"({"distance":true})", "column 'distance': a number is expected, not true"},
      {R"({"distance":[1]})", "a number is expected, not a list"},
      {R"({"origin":7})", "column 'origin': a text is expected, not the number 7"},
      {R"({"origin":{}})", "a text is expected, not an object"},
      {R"({"weekend":"yes"})",
       R"(column 'weekend': true or false is expected, not the text "yes")"},
      {R"({"weekend":1})", "true or false is expected, not the number 1"},
      {R"({"booked":"soon"})", R"(a date like "2001-02-28" is expected, not the text "soon")"},
      {R"({"booked":7})", "a date like"},
      {R"({"departs":"2001-02-30T10:00:00Z"})", "a time like"},
  };
  for (const auto& [row, why] : cases) {
    const auto result = answer(R"({"rows":[{},)" + row + "]}");
    EXPECT_THAT(result, StatusIs(absl::StatusCode::kInvalidArgument,
                                 AllOf(HasSubstr("row 1"), HasSubstr(why))));
    const std::string column = row.substr(2, row.find('"', 2) - 2);
    EXPECT_THAT(pointers(result.status()), ElementsAre("/rows/1/" + column));
  }
}

TEST_F(PredictJson, NamesAllFaultsUpToTwenty) {
  const absl::Status status =
      answer(R"({"rows":[{"distance":"a","origin":1},{},{"booked":3}]})").status();
  EXPECT_THAT(pointers(status),
              ElementsAre("/rows/0/distance", "/rows/0/origin", "/rows/2/booked"));
  std::string many = R"({"rows":[{"distance":"x"})";
  for (int i = 0; i < 50; ++i) {
    many += R"(,{"distance":"x"})";
  }
  EXPECT_EQ(pointers(answer(many + "]}").status()).size(), 20U);
}

TEST_F(PredictJson, NamesUnknownColumns) {
  const auto result = answer(R"({"rows":[{"distnace":1},{"a/b~c":2}]})");
  EXPECT_THAT(result, StatusIs(absl::StatusCode::kInvalidArgument,
                               AllOf(HasSubstr("row 0"), HasSubstr("'distnace'"),
                                     HasSubstr("did you mean 'distance'"))));
  EXPECT_THAT(pointers(result.status()), ElementsAre("/rows/0/distnace", "/rows/1/a~1b~0c"));
  EXPECT_THAT(base::remedy(result.status()), HasSubstr("unknown=ignore"));
  const auto ignored = answer(R"({"rows":[{"distnace":{"deep":[1]}}]})", true);
  EXPECT_THAT(*ignored, HasSubstr("\"probability\":0.5"));
}

TEST_F(PredictJson, RefusesRepeatedKeys) {
  EXPECT_THAT(answer(R"({"rows":[{"distance":1,"distance":2}]})"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("row 0 names the column 'distance' twice")));
  EXPECT_THAT(answer(R"({"rows":[{}],"rows":[]})"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("names 'rows' twice")));
  EXPECT_OK(answer(R"({"rows":[{"distance":1},{"distance":2}]})"));
}

TEST_F(PredictJson, NumbersOfAnyLengthAreNumbers) {
  EXPECT_EQ(*answer(R"({"rows":[{"distance":123456789012345678901234567890}],"ids":["a"]})"),
            *answer(R"({"rows":[{"distance":123456789012345678901234567890.0}],"ids":["a"]})"));
  EXPECT_EQ(
      *answer(
          R"({"rows":[{"distance":-99999999999999999999,"origin":"9\"99999999999999999999"}],"ids":["a"]})"),
      *answer(R"({"rows":[{"distance":-1e20,"origin":"9\"99999999999999999999"}],"ids":["a"]})"));
  const auto result = answer(R"({"rows":[{},{"origin":"1e999","distance":-1e999}]})");
  EXPECT_THAT(result, StatusIs(absl::StatusCode::kInvalidArgument,
                               HasSubstr("row 1, column 'distance': the number -1e999 is too")));
  EXPECT_THAT(pointers(result.status()), ElementsAre("/rows/1/distance"));
  EXPECT_THAT(answer(R"({"rows":[],"explain":1e999})"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("/explain: the number")));
}

TEST_F(PredictJson, TextsHaveALimit) {
  limits_.text_value_bytes = 4;
  EXPECT_OK(answer(R"({"rows":[{"origin":"four"}]})"));
  EXPECT_THAT(answer(R"({"rows":[{"origin":"fives"}]})"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("row 0, column 'origin': the text is longer than 4 B")));
}

TEST_F(PredictJson, CategoriesNeverSeenAreCounted) {
  EXPECT_OK(answer(R"({"rows":[{"origin":"martian"},{"origin":"ORD"},{"origin":"venusian"},{}]})"));
  EXPECT_EQ(late_->traffic().unseen, 2U);
  EXPECT_THAT(answer(R"({"rows":[{"origin":"martian","x":1}]})"),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(late_->traffic().unseen, 2U);
}

TEST_F(PredictJson, SaysWhatIsWrongWithTheBody) {
  const std::vector<std::array<std::string, 3>> cases = {
      {"", "", "the body is empty"},
      {"{", "", "the body is no JSON"},
      {R"({"rows":[{"distance":NaN}]})", "", "the body is no JSON"},
      {"\xff", "", "the body is no JSON"},
      {"[]", "", "the body is a list"},
      {"{}", "/rows", "has no 'rows'"},
      {R"({"row":[]})", "/row", "unknown field 'row' (did you mean 'rows'?)"},
      {R"({"rows":{}})", "/rows", "'rows' is an object"},
      {R"({"rows":null})", "/rows", "'rows' is null"},
      {R"({"rows":[1]})", "/rows/0", "row 0 is the number 1, an object is expected"},
      {R"({"rows":[{},[]]})", "/rows/1", "row 1 is a list"},
      {R"({"rows":[{}],"ids":"a"})", "/ids", "'ids' is the text \"a\""},
      {R"({"rows":[{}],"ids":[]})", "/ids", "'ids' has 0 entries for 1 rows"},
      {R"({"rows":[{},{}],"ids":["a",7]})", "/ids/1", "row 1: a text of 1 to 128 bytes"},
      {R"({"rows":[{}],"ids":[""]})", "/ids/0", "a text of 1 to 128 bytes"},
      {R"({"rows":[{}],"ids":["a\u0000"]})", "/ids/0", "without control characters"},
      {R"({"rows":[{}],"ids":["a\nb"]})", "/ids/0", "without control characters"},
      {R"({"rows":[{}],"at":["now"]})", "/at/0", "row 0: a time like"},
      {R"({"rows":[{}],"at":[1]})", "/at/0", "a time like"},
      {R"({"rows":[{}],"explain":-1})", "/explain", "a whole number from 0 to 100"},
      {R"({"rows":[{}],"explain":101})", "/explain", "the number 101"},
      {R"({"rows":[{}],"explain":1.5})", "/explain", "a whole number"},
      {R"({"rows":[{}],"explain":true})", "/explain", "'explain' is true"},
  };
  for (const auto& [body, pointer, why] : cases) {
    const auto result = answer(body);
    EXPECT_THAT(result, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(why))) << body;
    EXPECT_NE(base::remedy(result.status()), "") << body;
    if (!pointer.empty()) {
      EXPECT_THAT(pointers(result.status()), ElementsAre(pointer)) << body;
    }
  }
  EXPECT_THAT(answer(R"({"rows":[{}],"ids":[")" + std::string(129, 'x') + "\"]}"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("1 to 128 bytes")));
}

TEST_F(PredictJson, LimitsRows) {
  limits_.predict_rows = 2;
  EXPECT_OK(answer(R"({"rows":[{},{}]})"));
  EXPECT_THAT(answer(R"({"rows":[{},{},{}]})"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("3 rows, the limit is 2")));
}

TEST_F(PredictJson, SurvivesDeepNesting) {
  EXPECT_FALSE(answer(std::string(100'000, '[')).ok());
  EXPECT_FALSE(answer(R"({"rows":)" + std::string(100, '[') + std::string(100, ']') + "}").ok());
}

TEST_F(PredictJson, GoesOnAfterALargeBody) {
  std::string body = R"({"rows":[{"distance":1})";
  for (int i = 1; i < 70'000; ++i) {
    body += R"(,{"distance":500})";
  }
  EXPECT_THAT(*answer(body + "]}"), HasSubstr("\"probability\":0.5"));
  EXPECT_THAT(*answer(R"({"rows":[{}]})"), HasSubstr("\"probability\":0.5"));
}

TEST_F(PredictJson, SplitsRowsById) {
  late_ = endpoint({{.model = "late", .version = 3, .package = late_package(0.01), .weight = 75},
                    {.model = "late",
                     .version = 4,
                     .package = late_package(0.02),
                     .weight = 25,
                     .role = Role::kChallenger}});
  std::string body = R"({"rows":[)";
  std::string id_list;
  for (int i = 0; i < 2000; ++i) {
    body += fmt::format(R"({}{{"distance":{}}})", i > 0 ? "," : "", i);
    id_list += fmt::format(R"({}"id-{}")", i > 0 ? "," : "", i);
  }
  const base::Json out = json(body + R"(],"ids":[)" + id_list + "]}");
  int challenger_rows = 0;
  for (int i = 0; i < 2000; ++i) {
    const base::Json& prediction = out["predictions"][static_cast<size_t>(i)];
    const bool challenger = prediction["model_version"] == 4;
    challenger_rows += challenger ? 1 : 0;
    EXPECT_EQ(prediction["id"], fmt::format("id-{}", i));
    EXPECT_EQ(challenger ? 1U : 0U, late_->choose(fmt::format("id-{}", i)));
    EXPECT_EQ(prediction["probability"], late_probability(i, "", challenger ? 0.02 : 0.01));
  }
  EXPECT_NEAR(challenger_rows, 500, 60);
  EXPECT_EQ(late_->variants()[0].counters->read().rows,
            2000U - static_cast<uint64_t>(challenger_rows));
  EXPECT_EQ(late_->variants()[1].counters->read().rows, static_cast<uint64_t>(challenger_rows));
}

TEST_F(PredictJson, ServesVersionsWithOtherColumns) {
  model::PackageParts wider = late_parts(0.02);
  wider.contract.push_back({"airline", model::InputType::kText});
  wider.contract[1].type = model::InputType::kNumber;
  late_ = endpoint({{.model = "late", .version = 3, .package = late_package(), .weight = 1},
                    {.model = "late",
                     .version = 4,
                     .package = load_known(wider),
                     .weight = 1,
                     .role = Role::kChallenger}});
  // Neither version refuses the other one's column.
  std::string ids;
  for (int i = 0; i < 20; ++i) {
    EXPECT_OK(
        answer(fmt::format(R"({{"rows":[{{"airline":"AA","distance":1}}],"ids":["{}"]}})", i)));
  }
}

TEST_F(PredictJson, ShadowsChangeNothing) {
  model::PackageParts other = late_parts(0.05);
  other.contract[0].type = model::InputType::kNumber;  // Cannot read an origin.
  other.pipeline.dictionaries.clear();
  other.pipeline.transforms = {model::NumberTransform{.column = 1}};
  other.predictors[0].features = {0};
  other.predictors[0].body = model::LinearParts{
      .output_count = 1, .bias = {0.0}, .mean = {0.0}, .impute = {0.0}, .weights = {1.0}};
  const std::string body = R"({"rows":[{"distance":612},{"origin":"ORD"}],"ids":["a","b"]})";
  const std::string alone = *answer(body);
  late_ = endpoint(
      {{.model = "late", .version = 3, .package = late_package(), .weight = 1},
       {.model = "late", .version = 4, .package = late_package(0.02), .role = Role::kShadow},
       {.model = "late", .version = 5, .package = load_known(other), .role = Role::kShadow}});
  EXPECT_EQ(*answer(body), alone);
  shadows_.wait_until_idle();
  EXPECT_EQ(late_->variants()[0].counters->read().rows, 2U);
  EXPECT_EQ(late_->variants()[1].counters->read().rows, 2U);
  EXPECT_EQ(late_->variants()[2].counters->read().rows, 0U);
  EXPECT_EQ(late_->variants()[2].counters->read().errors, 1U);
  const Traffic traffic = late_->traffic();
  EXPECT_EQ(traffic.requests, 1U);
  EXPECT_EQ(traffic.rows, 2U);
  EXPECT_EQ(traffic.errors, 0U);
}

TEST_F(PredictJson, LongWorkIsLeftToOthersWhereOnlyQuickIsWanted) {
  late_ = endpoint(forest_package(5, 200));
  std::string rows = "{}";
  for (int i = 1; i < 1000; ++i) {
    rows += ",{}";
  }
  const auto ask = [&](std::string_view body, bool quick_only) {
    std::string out;
    const absl::Status status =
        predict_json(context(), *late_, {.body = body, .quick_only = quick_only}, scratch_, out);
    EXPECT_EQ(out.empty(), !status.ok());
    return status;
  };
  const std::string many = fmt::format(R"({{"rows":[{}]}})", rows);
  const std::string reasons = fmt::format(R"({{"rows":[{{}},{{}},{{}}],"explain":1}})");
  for (const std::string& body : {many, reasons}) {
    EXPECT_TRUE(is_too_long_here(ask(body, true))) << body.substr(0, 40);
  }
  EXPECT_EQ(late_->traffic().errors, 0U);  // Nothing has happened yet.
  EXPECT_EQ(late_->traffic().requests, 0U);
  EXPECT_OK(ask(many, false));
  EXPECT_OK(ask(reasons, false));
  EXPECT_OK(ask(R"({"rows":[{},{},{}]})", true));
  EXPECT_FALSE(is_too_long_here(ask("{", true)));
}

TEST_F(PredictJson, CountsRequests) {
  EXPECT_OK(answer(R"({"rows":[{},{}]})"));
  EXPECT_OK(answer(R"({"rows":[]})"));
  EXPECT_FALSE(answer("{").ok());
  const Traffic traffic = late_->traffic();
  EXPECT_EQ(traffic.requests, 2U);
  EXPECT_EQ(traffic.rows, 2U);
  EXPECT_EQ(traffic.errors, 1U);
  EXPECT_EQ(traffic.latency.count(), 2U);
}

// A batch gives bit for bit what its rows give alone.
TEST_F(PredictJson, ABatchIsItsRows) {
  late_ = endpoint(forest_package(5, 20));
  std::vector<std::string> rows;
  std::mt19937_64 random(1);
  for (int i = 0; i < 50; ++i) {
    rows.push_back(fmt::format(R"({{"x0":{},"x1":{},"x3":{}}})",
                               static_cast<double>(random() % 1000) / 500.0 - 1.0, random() % 2,
                               -static_cast<double>(random() % 1000) / 700.0));
  }
  const base::Json all = json(fmt::format(R"({{"rows":[{}]}})", fmt::join(rows, ",")));
  for (size_t i = 0; i < rows.size(); ++i) {
    const base::Json one = json(fmt::format(R"({{"rows":[{}]}})", rows[i]));
    EXPECT_EQ(one["predictions"][0]["probabilities"], all["predictions"][i]["probabilities"]);
  }
}

}  // namespace
}  // namespace cromford::serve
