#include "app/model_card.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "base/limits.h"

namespace cromford::app {
namespace {

constexpr size_t kTrialsShown = 10;
constexpr size_t kImportanceShown = 20;

// A section of the card: sentences, then a table whose last column may be drawn as a bar.
struct Section {
  std::string title;
  std::vector<std::string> sentences;
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;
  std::vector<double> bars;  // One per row, 0 to 1; empty: none.
};

std::string text_of(const base::Json& document, const char* key) {
  const auto found = document.find(key);
  if (found == document.end() || found->is_null()) {
    return {};
  }
  return found->is_string() ? found->get<std::string>() : base::dump_json(*found);
}

std::string figure(const base::Json& value) {
  if (!value.is_number()) {
    return base::dump_json(value);
  }
  return base::format_value(value.get<double>());
}

Section details(const base::Json& model) {
  Section section{.title = "What it is", .header = {"", ""}};
  const auto add = [&](std::string name, const std::string& value) {
    if (!value.empty()) {
      section.rows.push_back({std::move(name), value});
    }
  };
  add("Model", fmt::format("{}@{}", text_of(model, "model"), text_of(model, "version")));
  add("Predicts", text_of(model, "target"));
  add("Task", text_of(model, "task"));
  if (model.contains("classes") && !model["classes"].empty()) {
    std::vector<std::string> classes = model["classes"].get<std::vector<std::string>>();
    add("Classes", fmt::format("{}", fmt::join(classes, ", ")));
  }
  add("Positive class", text_of(model, "positive_class"));
  add("Made", text_of(model, "created_at"));
  if (model.contains("package")) {
    add("Package", fmt::format("{} bytes, BLAKE2b {}", text_of(model["package"], "size_bytes"),
                               text_of(model["package"], "hash")));
  }
  return section;
}

Section data(const base::Json& model) {
  Section section{.title = "What it was trained on", .header = {"", ""}};
  const base::Json lineage = model.value("lineage", base::Json::object());
  for (const auto& [key, label] :
       std::vector<std::pair<const char*, const char*>>{{"dataset", "Dataset"},
                                                        {"dataset_version", "Version"},
                                                        {"content_hash", "Content hash"},
                                                        {"query", "Query"},
                                                        {"where", "Rows where"},
                                                        {"run", "Training run"},
                                                        {"seed", "Seed"},
                                                        {"code_version", "Cromford"},
                                                        {"commit", "Built from"}}) {
    if (const std::string value = text_of(lineage, key); !value.empty()) {
      section.rows.push_back({label, value});
    }
  }
  const base::Json split = model.value("split", base::Json::object());
  for (const auto& [key, value] : split.items()) {
    section.rows.push_back({fmt::format("Split: {}", key),
                            value.is_string() ? value.get<std::string>() : figure(value)});
  }
  return section;
}

// Endpoints and whatever else is made of it; see lineage.h.
Section users(const base::Json& model) {
  Section section{.title = "What rests on it", .header = {"", ""}};
  for (const base::Json& link : model.value("used_by", base::Json::array())) {
    section.rows.push_back({text_of(link, "how"), text_of(link, "object")});
  }
  if (section.rows.empty()) {
    section.sentences.emplace_back("No endpoint serves it.");
  }
  return section;
}

// Of a model that was never tested: the best of a run that was stopped, or one of which nothing is
// told.
Section untested_quality(const base::Json& model) {
  Section section{.title = "How good it is"};
  if (model.value("complete", true)) {
    section.sentences.emplace_back("Not tested: nothing is known of how well it does.");
    return section;
  }
  section.sentences.emplace_back(
      "Not tested: the run was stopped before the test. The score below is that of the search, on "
      "validation rows; as the best of several it flatters the model.");
  section.header = {"Metric", "On validation rows"};
  const base::Json trials = model.value("trials", base::Json::array());
  if (!trials.empty() && trials.front().contains("score")) {
    section.rows.push_back({text_of(model, "ranked_by"), figure(trials.front()["score"])});
  }
  return section;
}

Section quality(const base::Json& model) {
  if (model.value("metrics", base::Json::object()).empty()) {
    return untested_quality(model);
  }
  Section section{.title = "How good it is",
                  .sentences = {"Measured once, on test rows that neither training nor the search "
                                "saw; with 95% intervals."},
                  .header = {"Metric", "Value", "95% interval", "Baseline"}};
  const base::Json metrics = model.value("metrics", base::Json::object());
  const base::Json baseline = model.value("baseline_metrics", base::Json::object());
  for (const auto& [name, estimate] : metrics.items()) {
    if (!estimate.is_object()) {
      continue;
    }
    std::string base_figure = "-";
    if (baseline.contains(name)) {
      base_figure = figure(baseline[name].is_object() ? baseline[name].value("value", base::Json())
                                                      : baseline[name]);
    }
    section.rows.push_back({name, figure(estimate.value("value", base::Json())),
                            fmt::format("{} to {}", figure(estimate.value("lower", base::Json())),
                                        figure(estimate.value("upper", base::Json()))),
                            base_figure});
  }
  return section;
}

Section importance(const base::Json& model) {
  Section section{.title = "What it looks at", .header = {"Column", "Share"}};
  for (const base::Json& item : model.value("importance", base::Json::array())) {
    if (section.rows.size() == kImportanceShown) {
      break;
    }
    const double share = item.value("share", 0.0);
    section.rows.push_back({text_of(item, "column"), fmt::format("{:.1f}%", 100 * share)});
    section.bars.push_back(share);
  }
  return section;
}

Section leaderboard(const base::Json& model) {
  Section section{.title = "What was tried", .header = {"Rank", "Learner", "Score", "Seconds"}};
  for (const base::Json& trial : model.value("trials", base::Json::array())) {
    if (section.rows.size() == kTrialsShown) {
      break;
    }
    section.rows.push_back({text_of(trial, "rank"), text_of(trial, "learner"),
                            trial.contains("score") ? figure(trial["score"]) : "-",
                            trial.contains("seconds") ? figure(trial["seconds"]) : "-"});
  }
  return section;
}

Section warnings(const base::Json& model) {
  Section section{.title = "Where to be careful"};
  for (const base::Json& warning : model.value("warnings", base::Json::array())) {
    section.sentences.push_back(text_of(warning, "text"));
  }
  if (section.sentences.empty()) {
    section.sentences.emplace_back("Training found nothing to warn of.");
  }
  if (!model.value("metrics", base::Json::object()).empty()) {
    section.sentences.emplace_back("The figures hold for rows like those of the test part.");
  }
  section.sentences.emplace_back("Purpose, users and risks are for a person to write down.");
  return section;
}

std::vector<Section> sections_of(const base::Json& model) {
  return {details(model),    data(model),        users(model),   quality(model),
          importance(model), leaderboard(model), warnings(model)};
}

std::string escape_html(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string escape_markdown(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '|' || c == '\\' || c == '`' || c == '*' || c == '_' || c == '<') {
      escaped += '\\';
    }
    escaped += c == '\n' ? ' ' : c;
  }
  return escaped;
}

std::string markdown(const std::string& title, const std::vector<Section>& sections) {
  std::string out = fmt::format("# {}\n", escape_markdown(title));
  for (const Section& section : sections) {
    out += fmt::format("\n## {}\n\n", section.title);
    for (const std::string& sentence : section.sentences) {
      out += fmt::format("- {}\n", escape_markdown(sentence));
    }
    if (section.rows.empty()) {
      continue;
    }
    out += section.sentences.empty() ? "" : "\n";
    out += fmt::format("| {} |\n|", fmt::join(section.header, " | "));
    for (size_t i = 0; i < section.header.size(); ++i) {
      out += "---|";
    }
    out += "\n";
    for (const std::vector<std::string>& row : section.rows) {
      out += "|";
      for (const std::string& cell : row) {
        out += fmt::format(" {} |", escape_markdown(cell));
      }
      out += "\n";
    }
  }
  return out;
}

constexpr std::string_view kStyle = R"(
:root{color-scheme:light dark;--ink:#1c2430;--paper:#fff;--line:#d9dee6;--bar:#3b6ea8;--soft:#5c6775}
@media(prefers-color-scheme:dark){:root{--ink:#e6eaf0;--paper:#14181e;--line:#2d3541;--bar:#6ea3dd;--soft:#9aa6b5}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:56rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem}h2{font-size:1.15rem;margin-top:2rem;border-bottom:1px solid var(--line);padding-bottom:.3rem}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid var(--line);overflow-wrap:anywhere;vertical-align:top}
th{color:var(--soft);font-weight:600}td{font-variant-numeric:tabular-nums}svg{display:block}rect{fill:var(--bar)}
@media print{body{margin:0}})";

std::string html_table(const Section& section) {
  std::string out = "<table><thead><tr>";
  for (const std::string& cell : section.header) {
    out += fmt::format("<th scope=\"col\">{}</th>", escape_html(cell));
  }
  out += section.bars.empty() ? "" : "<th scope=\"col\"></th>";
  out += "</tr></thead><tbody>";
  for (size_t row = 0; row < section.rows.size(); ++row) {
    out += "<tr>";
    for (const std::string& cell : section.rows[row]) {
      out += fmt::format("<td>{}</td>", escape_html(cell));
    }
    if (!section.bars.empty()) {
      out += fmt::format(
          "<td><svg width=\"200\" height=\"14\" role=\"img\" aria-label=\"{0:.1f}%\">"
          "<rect width=\"{1:.1f}\" height=\"14\" rx=\"2\"/></svg></td>",
          100 * section.bars[row], std::max(1.0, 200 * section.bars[row] / section.bars.front()));
    }
    out += "</tr>";
  }
  return out + "</tbody></table>";
}

std::string html(const std::string& title, const std::vector<Section>& sections) {
  std::string out = fmt::format(
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width\"><title>{0}</title><style>{1}</style></head><body><h1>{0}</"
      "h1>",
      escape_html(title), kStyle);
  for (const Section& section : sections) {
    out += fmt::format("<h2>{}</h2>", escape_html(section.title));
    for (const std::string& sentence : section.sentences) {
      out += fmt::format("<p>{}</p>", escape_html(sentence));
    }
    if (!section.rows.empty()) {
      out += html_table(section);
    }
  }
  return out + "</body></html>\n";
}

}  // namespace

absl::StatusOr<std::string> render_model_card(const base::Json& model_version,
                                              std::string_view format) {
  const std::string title = fmt::format("Model card: {}@{}", text_of(model_version, "model"),
                                        text_of(model_version, "version"));
  if (format == "json") {
    return base::pretty_json(model_version) + "\n";
  }
  if (format == "md") {
    return markdown(title, sections_of(model_version));
  }
  if (format == "html") {
    return html(title, sections_of(model_version));
  }
  return base::invalid(fmt::format("'{}' is no format of a model card", format),
                       "write json, md or html");
}

}  // namespace cromford::app
