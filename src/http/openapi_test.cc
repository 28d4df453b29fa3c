// The table of routes and the OpenAPI document agree, both ways.

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "base/json.h"
#include "base/text.h"
#include "http/api.h"
#include "testing/status_matchers.h"

namespace cromford::http {
namespace {

const base::Json& document() {
  static const base::Json parsed = *base::parse_json(openapi_document());
  return parsed;
}

// What a "$ref" points to.
const base::Json& resolved(const base::Json& node) {
  const auto ref = node.find("$ref");
  return ref == node.end()
             ? node
             : document().at(base::Json::json_pointer(ref->get<std::string>().substr(1)));
}

std::set<std::string> words(std::string_view text) {
  std::set<std::string> result;
  for (const std::string_view word : base::split(text, ' ')) {
    if (!word.empty()) {
      result.emplace(word);
    }
  }
  return result;
}

std::set<std::string> parameters_in(const base::Json& operation, const std::string& place) {
  std::set<std::string> names;
  for (const base::Json& entry : operation.value("parameters", base::Json::array())) {
    const base::Json& parameter = resolved(entry);
    if (parameter.at("in") == place) {
      names.insert(parameter.at("name"));
    }
  }
  return names;
}

std::set<std::string> pattern_parameters(std::string_view pattern) {
  std::set<std::string> names;
  for (size_t open = pattern.find('{'); open != std::string_view::npos;
       open = pattern.find('{', open + 1)) {
    names.emplace(pattern.substr(open + 1, pattern.find('}', open) - open - 1));
  }
  return names;
}

TEST(OpenApiTest, EveryRouteIsDescribedAndNothingElse) {
  std::set<std::string> described;
  for (const auto& [path, methods] : document().at("paths").items()) {
    for (const auto& [method, operation] : methods.items()) {
      described.insert(base::lower(method) + " " + path + " " +
                       operation.at("operationId").get<std::string>());
    }
  }
  std::set<std::string> routed;
  for (const Route& route : api_routes()) {
    routed.insert(base::lower(method_name(route.method)) + " " + std::string(route.pattern) + " " +
                  std::string(route.operation));
  }
  EXPECT_EQ(described, routed);
}

class RouteInDocumentTest : public ::testing::TestWithParam<size_t> {
 protected:
  const Route& route() const { return api_routes()[GetParam()]; }
  const base::Json& operation() const {
    return document()
        .at("paths")
        .at(std::string(route().pattern))
        .at(base::lower(method_name(route().method)));
  }
};

TEST_P(RouteInDocumentTest, ParametersAgree) {
  EXPECT_EQ(parameters_in(operation(), "path"), pattern_parameters(route().pattern));
  EXPECT_EQ(parameters_in(operation(), "query"), words(route().query));
  EXPECT_EQ(parameters_in(operation(), "header").contains("Idempotency-Key"), route().creates);
}

TEST_P(RouteInDocumentTest, BodiesAgree) {
  const auto body = operation().find("requestBody");
  ASSERT_EQ(body != operation().end(), !route().content_types.empty());
  if (body != operation().end()) {
    const std::set<std::string> accepted = words(route().content_types);
    for (const auto& [type, schema] : body->at("content").items()) {
      EXPECT_TRUE(accepted.contains(type) || accepted.contains("*")) << type;
    }
  }
}

TEST_P(RouteInDocumentTest, ErrorsAndSecurityAreDescribed) {
  EXPECT_TRUE(operation().at("responses").contains("default"));
  const bool open =
      operation().value("security", base::Json()) == base::Json::array({base::Json::object()});
  EXPECT_EQ(open, route().permission == Permission::kPublic);
  const base::Json& error = resolved(operation().at("responses").at("default"));
  EXPECT_EQ(error.at("content").contains("application/json"),
            route().errors == ErrorFormat::kOpenInference);
}

INSTANTIATE_TEST_SUITE_P(All, RouteInDocumentTest, ::testing::Range(size_t{0}, api_routes().size()),
                         [](const auto& index) {
                           return std::string(api_routes()[index.param].operation);
                         });

// Every "$ref" leads somewhere.
void check_references(const base::Json& node) {
  if (node.is_object()) {
    if (const auto ref = node.find("$ref"); ref != node.end()) {
      const base::Json::json_pointer pointer(ref->get<std::string>().substr(1));
      EXPECT_TRUE(document().contains(pointer)) << *ref;
    }
  }
  for (const base::Json& child : node) {
    if (child.is_structured()) {
      check_references(child);
    }
  }
}

TEST(OpenApiTest, ReferencesLeadSomewhere) {
  EXPECT_EQ(document().at("openapi"), "3.1.0");
  check_references(document());
}

TEST(OpenApiTest, ThePublicRoutesAreTheseAlone) {
  std::set<std::string_view> open;
  for (const Route& route : api_routes()) {
    if (route.permission == Permission::kPublic) {
      open.insert(route.pattern);
    }
  }
  EXPECT_EQ(open, (std::set<std::string_view>{"/api/v1/openapi.json", "/healthz", "/readyz",
                                              "/v2/health/live", "/v2/health/ready"}));
}

}  // namespace
}  // namespace cromford::http
