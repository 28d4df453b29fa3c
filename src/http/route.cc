#include "http/route.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "base/text.h"

namespace cromford::http {
namespace {

bool is_parameter(std::string_view segment) {
  return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

// "runs/{id}:cancel" -> "runs/{id}", "cancel".
std::pair<std::string_view, std::string_view> split_verb(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return {text, {}};
  }
  return {text.substr(0, colon), text.substr(colon + 1)};
}

}  // namespace

// One segment of the paths. Routes that end here stand in `routes`, by verb and method.
struct Router::Node {
  struct End {
    std::string_view verb;
    Method method;
    size_t index;
  };
  std::vector<std::pair<std::string_view, std::unique_ptr<Node>>> literals;
  std::unique_ptr<Node> parameter;
  std::vector<End> ends;

  Node* literal(std::string_view text) const {
    for (const auto& [known, node] : literals) {
      if (known == text) {
        return node.get();
      }
    }
    return nullptr;
  }
  Node& make(std::string_view segment) {
    if (is_parameter(segment)) {
      if (!parameter) {
        parameter = std::make_unique<Node>();
      }
      return *parameter;
    }
    if (Node* const node = literal(segment)) {
      return *node;
    }
    return *literals.emplace_back(segment, std::make_unique<Node>()).second;
  }
  bool ends_with(std::string_view verb) const {
    return std::any_of(ends.begin(), ends.end(), [&](const End& end) { return end.verb == verb; });
  }

  // The node at which the path ends with `verb`; fills `values` with what parameters stand for.
  // Literals go before parameters.
  const Node* walk(std::span<const std::string_view> path, std::string_view verb,
                   std::vector<std::string_view>& values) const {
    if (path.empty()) {
      return ends_with(verb) ? this : nullptr;
    }
    if (const Node* const next = literal(path.front())) {
      if (const Node* const found = next->walk(path.subspan(1), verb, values)) {
        return found;
      }
    }
    if (!parameter || path.front().empty()) {
      return nullptr;
    }
    values.push_back(path.front());
    const Node* const found = parameter->walk(path.subspan(1), verb, values);
    if (found == nullptr) {
      values.pop_back();
    }
    return found;
  }
};

void Router::NodeDeleter::operator()(Node* node) const {
  delete node;
}

absl::StatusOr<Router> Router::create(std::span<const Route> routes,
                                      std::map<std::string, Handler, std::less<>> handlers) {
  Router router;
  router.routes_ = routes;
  router.root_.reset(new Node);
  for (size_t i = 0; i < routes.size(); ++i) {
    const auto handler = handlers.find(routes[i].operation);
    if (handler == handlers.end()) {
      return base::internal(
          fmt::format("the operation {} has a route but no handler", routes[i].operation));
    }
    TRY(router.add(i));
    router.handlers_.push_back(std::move(handler->second));
    handlers.erase(handler);
  }
  if (!handlers.empty()) {
    return base::internal(
        fmt::format("the operation {} has a handler but no route", handlers.begin()->first));
  }
  return router;
}

absl::Status Router::add(size_t index) {
  const Route& route = routes_[index];
  const auto fault = [&](std::string_view what) {
    return base::internal(fmt::format("the route of {} {}", route.operation, what));
  };
  if (route.pattern.empty() || route.pattern.front() != '/') {
    return fault("does not begin with '/'");
  }
  if (route.method == Method::kOther || route.method == Method::kHead) {
    return fault("has a method that cannot be registered");
  }
  if ((route.body_bytes_max > 0 || route.kind == HandlerKind::kUpload) ==
      route.content_types.empty()) {
    return fault("must name content types exactly when it takes a body");
  }
  const auto [path, verb] = split_verb(route.pattern.substr(1));
  if (verb.find('/') != std::string_view::npos) {
    return fault("has a verb that is not in its last segment");
  }
  Node* node = root_.get();
  std::vector<std::string_view> names;
  for (const std::string_view segment : base::split(path, '/')) {
    if (segment.find_first_of("{}") != std::string_view::npos && !is_parameter(segment)) {
      return fault("has a malformed parameter");
    }
    if (is_parameter(segment)) {
      names.push_back(segment.substr(1, segment.size() - 2));
    }
    node = &node->make(segment);
  }
  for (const Node::End& end : node->ends) {
    if (end.verb == verb && end.method == route.method) {
      return fault(fmt::format("is also that of {}", routes_[end.index].operation));
    }
  }
  node->ends.push_back({verb, route.method, index});
  parameter_names_.push_back(std::move(names));
  return absl::OkStatus();
}

Router::Match Router::find(Method method, Target& target, Parameters& parameters) const {
  parameters.clear();
  thread_local std::vector<std::string_view> path;
  thread_local std::vector<std::string_view> values;
  path.assign(target.segments().begin(), target.segments().end());
  values.clear();
  if (path.empty()) {
    return {};
  }
  const auto [last, verb] = split_verb(path.back());
  path.back() = last;
  const Node* const node = root_->walk(path, verb, values);
  if (node == nullptr) {
    return {};
  }
  const Method wanted = method == Method::kHead ? Method::kGet : method;
  Match match;
  match.outcome = Outcome::kMethodNotAllowed;
  for (const Node::End& end : node->ends) {
    if (end.verb == verb && end.method == wanted) {
      for (size_t i = 0; i < values.size(); ++i) {
        parameters.emplace_back(parameter_names_[end.index][i], target.decode(values[i]));
      }
      match.outcome = Outcome::kFound;
      match.route = &routes_[end.index];
      match.handler = &handlers_[end.index];
      match.index = end.index;
      match.allowed.clear();
      return match;
    }
    if (end.verb == verb) {
      match.allowed.push_back(method_name(end.method));
      if (end.method == Method::kGet) {
        match.allowed.push_back(method_name(Method::kHead));
      }
    }
  }
  // Errors are written in the manner of the place, also when the method is wrong.
  match.index = node->ends.front().index;
  match.route = &routes_[match.index];
  return match;
}

ErrorFormat Router::errors_near(std::string_view path) const {
  const auto first_segment = [](std::string_view text) {
    return text.substr(0, text.find('/', std::min<size_t>(1, text.size())));
  };
  const auto near = std::find_if(routes_.begin(), routes_.end(), [&](const Route& route) {
    return first_segment(route.pattern) == first_segment(path);
  });
  return near == routes_.end() ? ErrorFormat::kProblem : near->errors;
}

}  // namespace cromford::http
