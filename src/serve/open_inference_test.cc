#include "serve/open_inference.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "serve/serve_fixture_test.h"

namespace cromford::serve {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::HasSubstr;

std::string input(const std::string& name, const std::string& shape, const std::string& type,
                  const std::string& data) {
  return fmt::format(R"({{"name":"{}","shape":{},"datatype":"{}","data":{}}})", name, shape, type,
                     data);
}
std::string inputs(const std::vector<std::string>& list) {
  return fmt::format(R"("inputs":[{}])", fmt::join(list, ","));
}

class OpenInference : public ServeFixture {
 protected:
  absl::StatusOr<std::string> infer(const std::string& body, std::string_view version = "") {
    std::string out = "kept ";
    const absl::Status status = open_inference_infer(
        context(), *late_, {.model_name = "late", .version = version, .body = body}, scratch_, out);
    EXPECT_TRUE(status.ok() || out == "kept ") << out;
    if (!status.ok()) {
      return status;
    }
    return out.substr(5);
  }
  base::Json json(const std::string& body, std::string_view version = "") {
    const auto text = infer(body, version);
    EXPECT_OK(text);
    return text.ok() ? base::parse_json(*text).value_or(base::Json()) : base::Json();
  }
  // The output tensor of that name.
  static base::Json output(const base::Json& answer, const std::string& name) {
    for (const base::Json& one : answer["outputs"]) {
      if (one["name"] == name) {
        return one;
      }
    }
    return nullptr;
  }
  base::Json values(const std::string& body) { return output(json(body), "prediction")["data"]; }

  std::shared_ptr<const Endpoint> late_ = endpoint(late_package());
};

TEST_F(OpenInference, AnswersInTheShapeOfTheProtocol) {
  const std::string body = R"({"id":"42","parameters":{"id":"order-17"},)" +
                           inputs({input("origin", "[1]", "BYTES", R"(["ORD"])"),
                                   input("distance", "[1,1]", "FP64", "[500]")}) +
                           "}";
  const std::string p = fmt::format("{}", late_probability(500, "ORD"));
  const std::string q = fmt::format("{}", 1.0 - late_probability(500, "ORD"));
  EXPECT_EQ(*infer(body),
            R"({"model_name":"late","model_version":"3","id":"42","parameters":{"id":"order-17"},)"
            R"("outputs":[{"name":"prediction","datatype":"BYTES","shape":[1],"data":["true"]},)"
            R"({"name":"probabilities","datatype":"FP64","shape":[1,2],"data":[)" +
                q + "," + p + "]}]}");
}

TEST_F(OpenInference, TakesEveryFormOfData) {
  const base::Json flat =
      json("{" + inputs({input("distance", "[3]", "FP64", "[100,500.5,900]")}) + "}");
  EXPECT_FALSE(flat.contains("parameters"));
  EXPECT_FALSE(flat.contains("id"));
  const base::Json expected = output(flat, "probabilities")["data"];
  EXPECT_EQ(expected.size(), 6U);
  EXPECT_EQ(expected[1], late_probability(100, ""));
  for (const auto& [shape, data] :
       std::vector<std::pair<std::string, std::string>>{{"[3,1]", "[100,500.5,900]"},
                                                        {"[3,1]", "[[100],[500.5],[900]]"},
                                                        {"[3]", "[[100],[500.5],[900]]"}}) {
    EXPECT_EQ(output(json("{" + inputs({input("distance", shape, "FP32", data)}) + "}"),
                     "probabilities")["data"],
              expected);
  }
  for (const char* type : {"INT64", "INT32", "INT16", "INT8", "UINT64", "UINT32", "UINT16", "UINT8",
                           "FP64", "FP32", "FP16", "BF16"}) {
    EXPECT_EQ(output(json("{" + inputs({input("distance", "[1]", type, "[100]")}) + "}"),
                     "probabilities")["data"][1],
              late_probability(100, ""))
        << type;
  }
}

TEST_F(OpenInference, TakesEveryTypeOfColumn) {
  EXPECT_OK(
      infer("{" +
            inputs({input("origin", "[2]", "BYTES", R"(["ORD",null])"),
                    input("distance", "[2]", "FP64", "[1e3,null]"),
                    input("weekend", "[2]", "BOOL", "[true,0]"),
                    input("booked", "[2]", "BYTES", R"(["2001-02-28",null])"),
                    input("departs", "[2]", "BYTES", R"(["2001-02-28T10:00:00Z","2001-02-28"])")}) +
            "}"));
  EXPECT_OK(infer("{" + inputs({input("weekend", "[2]", "INT64", "[1,0]")}) + "}"));
}

TEST_F(OpenInference, TreatsNanAndAbsentTensorsAsMissing) {
  const base::Json out =
      json("{" +
           inputs({input("distance", "[4]", "FP64", "[NaN, null , -Infinity,Infinity]"),
                   input("origin", "[4]", "BYTES", R"(["NaN","\"NaN","ORD","Infinity"])")}) +
           "}");
  const base::Json probabilities = output(out, "probabilities")["data"];
  EXPECT_EQ(probabilities[1], 0.5);
  EXPECT_EQ(probabilities[3], 0.5);
  EXPECT_EQ(probabilities[5], late_probability(500, "ORD"));
}

TEST_F(OpenInference, GivesTheOutputsAskedFor) {
  const std::string in = inputs(
      {input("distance", "[2]", "FP64", "[1,2]"), input("id", "[2]", "BYTES", R"(["a","b"])")});
  base::Json out = json("{" + in + R"(,"outputs":[{"name":"id"},{"name":"prediction"}]})");
  ASSERT_EQ(out["outputs"].size(), 2U);
  EXPECT_EQ(
      output(out, "id"),
      base::Json({{"name", "id"}, {"datatype", "BYTES"}, {"shape", {2}}, {"data", {"a", "b"}}}));
  EXPECT_EQ(output(out, "prediction")["data"], base::Json({"false", "false"}));
  out = json("{" + in + R"(,"outputs":[]})");
  EXPECT_EQ(out["outputs"].size(), 0U);
  EXPECT_THAT(infer("{" + in + R"(,"outputs":[{"name":"probabilitys"}]})"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("no output 'probabilitys' (did you mean 'probabilities'?)")));
  EXPECT_THAT(infer("{" + in + R"(,"outputs":[{"name":"lower"}]})"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no output 'lower'")));
  EXPECT_THAT(infer("{" + in + R"(,"outputs":[{}]})"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no 'name'")));
  EXPECT_THAT(infer("{" + in + R"(,"outputs":["id"]})"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no 'name'")));
}

TEST_F(OpenInference, AnswersRegressionAndMatrices) {
  late_ = endpoint(sum_package());
  for (const char* data : {"[[1,2,0],[3,4,1]]", "[1,2,0,3,4,1]"}) {
    const base::Json out = json("{" + inputs({input("anything", "[2,3]", "FP64", data)}) + "}");
    EXPECT_EQ(output(out, "prediction"), base::Json({{"name", "prediction"},
                                                     {"datatype", "FP64"},
                                                     {"shape", {2}},
                                                     {"data", {10.0, 12.0}}}));
    EXPECT_EQ(output(out, "lower")["data"], base::Json({9.0, 11.0}));
    EXPECT_EQ(output(out, "upper")["data"], base::Json({13.0, 15.0}));
  }
  EXPECT_EQ(values("{" + inputs({input("x1", "[1]", "FP64", "[4]")}) + "}"), base::Json({6.0}));
  EXPECT_EQ(values("{" +
                   inputs({input("m", "[1,3]", "INT64", "[[1,2,null]]"),
                           input("id", "[1]", "BYTES", R"(["i"])")}) +
                   "}"),
            base::Json({10.0}));
  EXPECT_THAT(infer("{" + inputs({input("m", "[1,2]", "FP64", "[1,2]")}) + "}"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("the input 'm' has 2 columns, the model has 3: x0, x1, ")));
  EXPECT_THAT(infer("{" + inputs({input("x0", "[1,2]", "FP64", "[1,2]")}) + "}"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("has the shape [1,2]")));
  EXPECT_THAT(infer("{" + inputs({input("m", "[1,3]", "BYTES", R"(["1","2","3"])")}) + "}"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("numbers are expected")));
  EXPECT_THAT(infer("{" + inputs({input("m", "[1,3]", "FP64", "[1,2,3]")}) + "}"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("row 0")));
}

TEST_F(OpenInference, AnswersNoRows) {
  const base::Json out = json("{" + inputs({input("distance", "[0]", "FP64", "[]")}) + "}");
  EXPECT_EQ(output(out, "prediction")["data"], base::Json::array());
  EXPECT_EQ(output(out, "probabilities")["shape"], base::Json({0, 2}));
}

TEST_F(OpenInference, SaysWhatIsWrong) {
  const auto in = [](const std::string& one) { return "{" + inputs({one}) + "}"; };
  const std::string good = input("distance", "[1]", "FP64", "[1]");
  const std::vector<std::array<std::string, 2>> cases = {
      {"", "the body is empty"},
      {"{\"inputs\":[NaN}", "the body is no JSON"},
      {"[]", "the body is a list"},
      {"{}", "has no 'inputs'"},
      {R"({"inputs":{}})", "'inputs' is an object"},
      {R"({"inputs":null})", "'inputs' is null"},
      {R"({"inputs":[]})", "'inputs' is empty"},
      {R"({"inputs":[1]})", "input 0 is the number 1"},
      {R"({"id":7,"inputs":[)" + good + "]}", "'id' is the number 7"},
      {R"({"outputs":{},"inputs":[)" + good + "]}", "'outputs' is an object"},
      {R"({"parameters":[],"inputs":[)" + good + "]}", "'parameters' is a list"},
      {R"({"parameters":{"id":1},"inputs":[)" + good + "]}", "the id of row 0 is the number 1"},
      {R"({"parameters":{"id":""},"inputs":[)" + good + "]}", "the id of row 0"},
      {R"({"parameters":{"id":"x"},)" + inputs({input("distance", "[2]", "FP64", "[1,2]")}) + "}",
       "names one row, but there are 2"},
      {in(R"({"shape":[1],"datatype":"FP64","data":[1]})"), "input 0 has no 'name'"},
      {in(R"({"name":1,"shape":[1],"datatype":"FP64","data":[1]})"), "'name' is the number 1"},
      {in(R"({"name":"distance","shape":[1],"data":[1]})"), "'distance' has no 'datatype'"},
      {in(R"({"name":"distance","datatype":"FP64","data":[1]})"), "'distance' has no 'shape'"},
      {in(R"({"name":"distance","shape":[1],"datatype":"FP64"})"), "'distance' has no 'data'"},
      {in(R"({"name":"distance","shape":[1],"datatype":"FP64","data":1})"), "'data' is the number"},
      {in(input("distance", "[1]", "FP65", "[1]")), "unknown datatype 'FP65'; known are FP64"},
      {in(input("distance", "1", "FP64", "[1]")), "'shape' is the number 1"},
      {in(input("distance", "[]", "FP64", "[1]")), "its shape is empty"},
      {in(input("distance", "[-1]", "FP64", "[1]")), "not [n] or [n,k]"},
      {in(input("distance", "[1,1,1]", "FP64", "[1]")), "not [n] or [n,k]"},
      {in(input("distance", "[1,0]", "FP64", "[]")), "has 0 columns"},
      {in(input("distance", "[1,99999999999]", "FP64", "[]")), "has 99999999999 columns"},
      {in(input("distance", "[1000000]", "FP64", "[]")), "1000000 rows, the limit is 100000"},
      {in(input("distance", "[2]", "FP64", "[1]")), "has 1 values, its shape says 2"},
      {in(input("distance", "[1]", "FP64", "[1,2]")), "at least 2 values, its shape says 1"},
      {in(input("distance", "[2]", "FP64", "[[1],2]")), "neither flat nor lists of 1"},
      {in(input("distance", "[2]", "FP64", "[1,[2]]")), "neither flat nor lists of 1"},
      {in(input("distance", "[2]", "FP64", "[[1,2]]")), "neither flat nor lists of 1"},
      {in(input("distance", "[1]", "FP64", R"(["x"])")),
       "'distance', row 0: a number is expected, not the text \"x\""},
      {in(input("distance", "[1]", "INT64", "[1.5]")), "a whole number is expected in INT64"},
      {in(input("distance", "[1]", "BYTES", R"(["1"])")),
       "is BYTES, but the column is a number: FP64 is expected"},
      {in(input("origin", "[1]", "FP64", "[1]")), "the column is a text: BYTES is expected"},
      {in(input("origin", "[1]", "BYTES", "[1]")), "a text is expected"},
      {in(input("weekend", "[1]", "BOOL", "[2]")), "true or false is expected"},
      {in(input("booked", "[1]", "BYTES", R"(["x"])")), "a date like"},
      {in(input("id", "[1]", "FP64", "[1]")), "has to be BYTES"},
      {in(good + "," + input("id", "[1]", "BYTES", R"(["a\nb"])")), "without control characters"},
      {in(input("distance", "[2]", "FP64", "[1,-1e999]")), "/inputs/0/data/1: the number -1e999"},
      {in(input("distnace", "[1]", "FP64", "[1]")), "did you mean 'distance'"},
      {in(good + "," + good), "'distance' stands twice"},
      {in(good + "," + input("origin", "[2]", "BYTES", "[null,null]")),
       "'origin' has 2 rows, but 'distance' has 1"},
      {in(good + "," + input("id", "[1]", "BYTES", "[null]")), "the id of row 0 is null"},
  };
  for (const auto& [body, why] : cases) {
    const auto result = infer(body);
    EXPECT_THAT(result, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(why))) << body;
    EXPECT_NE(base::remedy(result.status()), "") << body;
  }
  EXPECT_EQ(late_->traffic().errors, cases.size());
  EXPECT_THAT(infer(in(R"({"name":"distance","shape":[1],"datatype":"FP64",)"
                       R"("parameters":{"binary_data_size":8}})")),
              StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("only JSON")));
}

TEST_F(OpenInference, PassesOverWhatItDoesNotKnow) {
  EXPECT_OK(infer(R"({"extra":1,"id":null,"outputs":null,"parameters":{"timeout":5},)" +
                  inputs({R"({"name":"distance","shape":[1],"datatype":"FP64","extra":{},)"
                          R"("parameters":{"x":1},"data":[1]})"}) +
                  "}"));
}

TEST_F(OpenInference, AddressesVersions) {
  late_ = endpoint(
      {{.model = "late", .version = 3, .package = late_package(0.01), .weight = 1},
       {.model = "late",
        .version = 4,
        .package = late_package(0.02),
        .weight = 1,
        .role = Role::kChallenger},
       {.model = "late", .version = 5, .package = late_package(0.03), .role = Role::kShadow}});
  const std::string body = "{" + inputs({input("distance", "[1]", "FP64", "[600]")}) + "}";
  for (const auto& [version, slope] :
       std::vector<std::pair<std::string, double>>{{"3", 0.01}, {"4", 0.02}, {"5", 0.03}}) {
    const base::Json out = json(body, version);
    EXPECT_EQ(out["model_version"], version);
    EXPECT_EQ(output(out, "probabilities")["data"][1], late_probability(600, "", slope));
  }
  for (const char* version : {"6", "x", "-3", "3.0", "99999999999"}) {
    const auto result = infer(body, version);
    EXPECT_THAT(result, StatusIs(absl::StatusCode::kNotFound, HasSubstr("does not serve")));
    EXPECT_THAT(base::remedy(result.status()), HasSubstr("3, 4, 5"));
  }
  // Without a version, the split decides by the id.
  for (int i = 0; i < 20; ++i) {
    const std::string id = fmt::format("id-{}", i);
    const base::Json out = json(R"({"parameters":{"id":")" + id + R"("},)" + body.substr(1));
    EXPECT_EQ(out["model_version"], late_->choose(id) == 0 ? "3" : "4");
  }
  shadows_.wait_until_idle();
  EXPECT_EQ(late_->variants()[2].counters->read().requests, 23U);
}

TEST_F(OpenInference, AColumnCalledIdIsAColumn) {
  model::PackageParts parts = late_parts();
  parts.contract[2] = {"id", model::InputType::kNumber};
  late_ = endpoint(load_known(parts));
  EXPECT_OK(infer("{" + inputs({input("id", "[1]", "FP64", "[1]")}) + "}"));
}

TEST_F(OpenInference, DescribesTheModel) {
  EXPECT_EQ(*open_inference_metadata(*late_, "late", ""),
            R"({"name":"late","versions":["3"],"platform":"cromford","inputs":[)"
            R"({"name":"origin","datatype":"BYTES","shape":[-1]},)"
            R"({"name":"distance","datatype":"FP64","shape":[-1]},)"
            R"({"name":"weekend","datatype":"BOOL","shape":[-1]},)"
            R"({"name":"booked","datatype":"BYTES","shape":[-1]},)"
            R"({"name":"departs","datatype":"BYTES","shape":[-1]}],"outputs":[)"
            R"({"name":"prediction","datatype":"BYTES","shape":[-1]},)"
            R"({"name":"probabilities","datatype":"FP64","shape":[-1,2]},)"
            R"({"name":"id","datatype":"BYTES","shape":[-1]}]})");
  EXPECT_THAT(*open_inference_metadata(*endpoint(sum_package()), "x.y", "3"),
              HasSubstr(R"({"name":"upper","datatype":"FP64","shape":[-1]})"));
  EXPECT_THAT(open_inference_metadata(*late_, "late", "9"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_OK(open_inference_ready(*late_, ""));
  EXPECT_OK(open_inference_ready(*late_, "3"));
  EXPECT_THAT(open_inference_ready(*late_, "4"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_EQ(open_inference_server_metadata("0.1.0"),
            R"({"name":"cromford","version":"0.1.0","extensions":[]})");
  EXPECT_EQ(open_inference_error(base::invalid("a \"b\"", "do c")),
            "{\"error\":\"a \\\"b\\\" (do c)\"}");
}

TEST_F(OpenInference, GivesWhatPredictGives) {
  late_ = endpoint(forest_package(20, 50));
  std::mt19937_64 random(3);
  for (int i = 0; i < 20; ++i) {
    std::string row;
    std::string tensors;
    for (int column = 0; column < 20; ++column) {
      const double value = static_cast<double>(random() % 2000) / 1000.0 - 1.0;
      row += fmt::format(R"({}"x{}":{})", column > 0 ? "," : "", column, value);
      tensors += fmt::format("{}{}", column > 0 ? "," : "", value);
    }
    std::string named;
    ASSERT_OK(
        predict_json(context(), *late_, {.body = R"({"rows":[{)" + row + "}]}"}, scratch_, named));
    const base::Json out =
        json("{" + inputs({input("m", "[1,20]", "FP64", "[" + tensors + "]")}) + "}");
    EXPECT_EQ(base::parse_json(named)->at("predictions")[0]["probability"],
              output(out, "probabilities")["data"][1]);
  }
}

}  // namespace
}  // namespace cromford::serve
