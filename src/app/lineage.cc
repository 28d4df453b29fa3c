// Lineage: what a thing rests on, down to the sources, and what rests on it. Nothing is kept for
// it: every document names what it was made of, and this walks these names both ways.

#include "app/lineage.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "app/factory.h"
#include "app/resources.h"
#include "base/text.h"

namespace cromford::app {
namespace {

constexpr size_t kLinksMax = 1000;

// KIND/NAME, taken apart.
struct Object {
  std::string kind;
  std::string name;
};

absl::StatusOr<Object> parse_object(const std::string& text) {
  const size_t slash = text.find('/');
  Object object{.kind = text.substr(0, slash),
                .name = slash == std::string::npos ? "" : text.substr(slash + 1)};
  static const std::set<std::string> kinds = {"prediction", "endpoint", "model", "run", "dataset"};
  if (object.name.empty() || !kinds.contains(object.kind)) {
    return base::invalid(
        fmt::format("'{}' is no object that has a lineage", base::clip_utf8(text, 64)),
        "write prediction/ENDPOINT/ID, endpoint/NAME, model/NAME@V, run/ID or dataset/NAME@V");
  }
  return object;
}

std::string text_of(const base::Json& body, const char* field) {
  const auto found = body.find(field);
  return found != body.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// Collects links, each thing once in each direction.
class Walk {
 public:
  Walk(const Context& context, const std::string& project) : context_(context), project_(project) {}

  absl::Status down(const Object& object);
  absl::Status up(const Object& object);
  base::Json take(const std::string& object) {
    return {{"object", object},
            {"rests_on", std::move(below_)},
            {"used_by", std::move(above_)},
            {"truncated", truncated_}};
  }
  // A link that is followed by down() of `to`.
  absl::Status rests_on(const std::string& of, const std::string& how, const Object& to,
                        base::Json facts = base::Json::object());

 private:
  bool add(base::Json& list, std::set<std::string>& seen, const std::string& of,
           const std::string& how, const std::string& object, base::Json facts);
  absl::Status used_by(const std::string& of, const std::string& how, const Object& by);
  absl::Status down_from_version(const Object& object);
  absl::Status model_sources(const std::string& of, const base::Json& body);
  absl::Status dataset_sources(const std::string& of, const base::Json& body);
  absl::Status each(const std::string& kind, const std::string& filter,
                    const std::function<absl::Status(const store::Document&)>& use) const;
  absl::Status endpoints_with(const Object& model);
  absl::Status models_where(const std::string& of, const std::string& filter);

  const Context& context_;
  const std::string& project_;
  base::Json below_ = base::Json::array();
  base::Json above_ = base::Json::array();
  std::set<std::string> seen_below_;
  std::set<std::string> seen_above_;
  bool truncated_ = false;
};

bool Walk::add(base::Json& list, std::set<std::string>& seen, const std::string& of,
               const std::string& how, const std::string& object, base::Json facts) {
  if (list.size() >= kLinksMax) {
    truncated_ = true;
    return false;
  }
  facts["object"] = object;
  facts["of"] = of;
  facts["how"] = how;
  list.push_back(std::move(facts));
  return seen.insert(object).second;
}

absl::Status Walk::rests_on(const std::string& of, const std::string& how, const Object& to,
                            base::Json facts) {
  const std::string object = to.kind + "/" + to.name;
  if (!add(below_, seen_below_, of, how, object, std::move(facts))) {
    return absl::OkStatus();
  }
  const absl::Status status = down(to);
  if (absl::IsNotFound(status)) {
    below_.back()["gone"] = true;  // Deleted since; that it was used stays true.
    return absl::OkStatus();
  }
  return status;
}

absl::Status Walk::used_by(const std::string& of, const std::string& how, const Object& by) {
  return add(above_, seen_above_, of, how, by.kind + "/" + by.name, base::Json::object())
             ? up(by)
             : absl::OkStatus();
}

absl::Status Walk::dataset_sources(const std::string& of, const base::Json& body) {
  for (const base::Json& source : body.value("sources", base::Json::array())) {
    add(below_, seen_below_, of, "read from", "source/" + text_of(source, "name"),
        {{"hash", text_of(source, "hash")}});
  }
  for (const base::Json& parent : body.value("parents", base::Json::array())) {
    if (parent.is_string()) {
      TRY(rests_on(of, "appended to", {"dataset", parent.get<std::string>()}));
    }
  }
  return absl::OkStatus();
}

absl::Status Walk::model_sources(const std::string& of, const base::Json& body) {
  const base::Json lineage = body.value("lineage", base::Json::object());
  if (const std::string run = text_of(lineage, "run"); !run.empty()) {
    add(below_, seen_below_, of, "made by", "run/" + run, {{"seed", lineage.value("seed", 0)}});
  }
  const std::string dataset = text_of(lineage, "dataset");
  if (dataset.empty()) {
    return absl::OkStatus();
  }
  if (body.value("imported", false)) {
    // A package may come from another home, whose names mean something else here.
    add(below_, seen_below_, of, "trained before its import on",
        "dataset/" + version_name(dataset, lineage.value("dataset_version", int64_t{0})),
        {{"content_hash", text_of(lineage, "content_hash")}});
    return absl::OkStatus();
  }
  return rests_on(
      of, "trained on",
      {"dataset", version_name(dataset, lineage.value("dataset_version", int64_t{0}))},
      {{"content_hash", text_of(lineage, "content_hash")}, {"where", text_of(lineage, "where")}});
}

absl::Status Walk::down_from_version(const Object& object) {
  TRY(const Versioned version, find_reference(context_, object.kind, project_, object.name));
  TRY(const base::Json body, body_of(version.document));
  const std::string of = object.kind + "/" + version_name(version.name, version.version);
  return object.kind == "model" ? model_sources(of, body) : dataset_sources(of, body);
}

absl::Status Walk::down(const Object& object) {
  const std::string of = object.kind + "/" + object.name;
  if (object.kind == "model" || object.kind == "dataset") {
    return down_from_version(object);
  }
  TRY(const store::Document document, context_.metadata->get({project_, object.kind, object.name}));
  TRY(const base::Json body, body_of(document));
  if (object.kind == "run") {
    return rests_on(of, "trained on", {"dataset", text_of(body, "dataset")});
  }
  for (const base::Json& variant : body.value("variants", base::Json::array())) {
    TRY(rests_on(of, "serves",
                 {"model", version_name(text_of(variant, "model"),
                                        variant.value("model_version", int64_t{0}))},
                 {{"role", text_of(variant, "role")}, {"weight", variant.value("weight", 0)}}));
  }
  return absl::OkStatus();
}

absl::Status Walk::each(const std::string& kind, const std::string& filter,
                        const std::function<absl::Status(const store::Document&)>& use) const {
  std::string token;
  do {
    TRY(const store::DocumentPage page, context_.metadata->list({.project = project_,
                                                                 .kind = kind,
                                                                 .filter = filter,
                                                                 .page_size = 1000,
                                                                 .page_token = token}));
    for (const store::Document& document : page.documents) {
      TRY(use(document));
    }
    token = page.next_page_token;
  } while (!token.empty());
  return absl::OkStatus();
}

absl::Status Walk::endpoints_with(const Object& model) {
  return each("endpoint", "", [&](const store::Document& document) -> absl::Status {
    TRY(const base::Json body, body_of(document));
    for (const base::Json& variant : body.value("variants", base::Json::array())) {
      if (version_name(text_of(variant, "model"), variant.value("model_version", int64_t{0})) ==
          model.name) {
        TRY(used_by("model/" + model.name, "served by", {"endpoint", document.key.name}));
      }
    }
    return absl::OkStatus();
  });
}

absl::Status Walk::models_where(const std::string& of, const std::string& filter) {
  return each("model_version", filter, [&](const store::Document& document) {
    return used_by(of, of.starts_with("run/") ? "made" : "trained", {"model", document.key.name});
  });
}

absl::Status Walk::up(const Object& object) {
  const std::string of = object.kind + "/" + object.name;
  if (object.kind == "model") {
    return endpoints_with(object);
  }
  if (object.kind == "run") {
    return models_where(of, fmt::format("lineage.run = \"{}\"", object.name));
  }
  if (object.kind != "dataset") {
    return absl::OkStatus();  // Nothing is made of an endpoint or of a prediction.
  }
  TRY(const Versioned version, find_reference(context_, "dataset", project_, object.name));
  const absl::Status appended =
      each("dataset_version", fmt::format("parents : \"{}\"", object.name),
           [&](const store::Document& document) {
             return used_by(of, "appended to by", {"dataset", document.key.name});
           });
  TRY(appended);
  const absl::Status trained = each("run", fmt::format("dataset = \"{}\"", object.name),
                                    [&](const store::Document& document) {
                                      return used_by(of, "read by", {"run", document.key.name});
                                    });
  TRY(trained);
  return models_where(of, fmt::format("lineage.dataset = \"{}\" AND lineage.dataset_version = {}",
                                      version.name, version.version));
}

}  // namespace

absl::StatusOr<base::Json> lineage_of(const Context& context, const std::string& project,
                                      const std::string& text) {
  TRY(Object object, parse_object(text));
  if (object.kind == "model" || object.kind == "dataset") {
    TRY(const Versioned version, find_reference(context, object.kind, project, object.name));
    object.name = version_name(version.name, version.version);
  } else {
    TRY(context.metadata->get({project, object.kind, object.name}));
  }
  Walk walk(context, project);
  TRY(walk.down(object));
  TRY(walk.up(object));
  return walk.take(object.kind + "/" + object.name);
}

absl::StatusOr<base::Json> Factory::lineage(const std::string& project, const std::string& text) {
  const size_t slash = text.rfind('/');
  constexpr std::string_view kPrediction = "prediction/";
  if (!text.starts_with(kPrediction) || slash < kPrediction.size()) {
    return lineage_of(*context_, project, text);
  }
  TRY(const base::Json answered,
      prediction(project, text.substr(kPrediction.size(), slash - kPrediction.size()),
                 text.substr(slash + 1)));
  const Object model{"model", version_name(text_of(answered, "model"),
                                           answered.value("model_version", int64_t{0}))};
  Walk walk(*context_, project);
  TRY(walk.rests_on(text, "answered by", model, {{"at", text_of(answered, "at")}}));
  return walk.take(text);
}

}  // namespace cromford::app
