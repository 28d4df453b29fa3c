// Datasets and their versions.

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/file_system.h"
#include "base/name.h"
#include "base/status.h"
#include "base/text.h"
#include "http/api_support.h"
#include "http/problem.h"

namespace cromford::http {
namespace {

constexpr std::string_view kDescription = "application/vnd.cromford.import+json";

bool is_description(const Request& request) {
  const std::string_view type = request.header("content-type").value_or("");
  return base::equal_ignoring_case(base::trim(type.substr(0, type.find(';'))), kDescription);
}

absl::Status wrong_type(std::string_view field, std::string_view wanted) {
  return base::with_field_error(base::invalid(fmt::format("'{}' must be {}", field, wanted)),
                                {fmt::format("/{}", field), fmt::format("must be {}", wanted)});
}

absl::Status read_text(const base::Json& body, std::string_view field, std::string& value) {
  const auto found = body.find(field);
  if (found == body.end() || found->is_null()) {
    return absl::OkStatus();
  }
  if (!found->is_string()) {
    return wrong_type(field, "text");
  }
  value = found->get<std::string>();
  return absl::OkStatus();
}

absl::Status read_texts(const base::Json& body, std::string_view field,
                        std::vector<std::string>& values) {
  const auto found = body.find(field);
  if (found == body.end() || found->is_null()) {
    return absl::OkStatus();
  }
  if (!found->is_array()) {
    return wrong_type(field, "an array of text");
  }
  for (const base::Json& value : *found) {
    if (!value.is_string()) {
      return wrong_type(field, "an array of text");
    }
    values.push_back(value.get<std::string>());
  }
  return absl::OkStatus();
}

absl::Status check_known(const base::Json& object, std::initializer_list<std::string_view> known,
                         std::string_view where) {
  for (const auto& [field, value] : object.items()) {
    if (std::find(known.begin(), known.end(), field) == known.end()) {
      const std::vector<std::string> names(known.begin(), known.end());
      return base::with_field_error(
          base::invalid(fmt::format("there is no field '{}' here{}", field,
                                    base::did_you_mean(field, names))),
          {fmt::format("{}/{}", where, field), "unknown field"});
    }
  }
  return absl::OkStatus();
}

absl::Status set_mode(std::string_view mode, app::ImportRequest& import) {
  if (!mode.empty() && mode != "replace" && mode != "append") {
    return base::with_field_error(
        base::invalid(fmt::format("the mode is '{}'", base::clip_utf8(mode, 64)),
                      "give 'replace' or 'append'"),
        {"/mode", "must be 'replace' or 'append'"});
  }
  import.append = mode == "append";
  return absl::OkStatus();
}

absl::Status read_source(const Request& request, const base::Json& body,
                         app::ImportRequest& import) {
  const auto source = body.find("source");
  if (source == body.end() || !source->is_object()) {
    return base::with_field_error(
        base::invalid("the body names no source",
                      R"(send {"source":{"url":"https://..."}} or {"source":{"file":"..."}})"),
        {"/source", "must be an object with 'url', 'file' or 'files'"});
  }
  TRY(check_known(*source, {"file", "files", "url"}, "/source"));
  if (source->size() != 1) {
    return base::with_field_error(
        base::invalid("the source must have exactly one of 'file', 'files' and 'url'"),
        {"/source", "must have exactly one field"});
  }
  std::string file;
  TRY(read_text(*source, "file", file));
  TRY(read_texts(*source, "files", import.files));
  TRY(read_text(*source, "url", import.url));
  if (!file.empty()) {
    import.files.push_back(std::move(file));
  }
  if (import.files.empty() && import.url.empty()) {
    return base::with_field_error(base::invalid("the source is empty"),
                                  {"/source", "must not be empty"});
  }
  return import.files.empty() ? absl::OkStatus() : check_may_name_files(request);
}

// The body that names where the rows are, instead of being the rows.
absl::StatusOr<app::ImportRequest> described_import(const app::App& app, const Request& request) {
  TRY(const std::string text,
      base::system_files().read(request.upload->path(), app.limits().json_body_bytes));
  TRY(const base::Json body, json_object(text));
  TRY(check_known(body, {"source", "query", "format", "checks", "key", "mode"}, ""));
  app::ImportRequest import;
  TRY(read_source(request, body, import));
  TRY(read_text(body, "query", import.query));
  TRY(read_text(body, "format", import.format));
  TRY(read_texts(body, "key", import.key));
  std::string mode;
  TRY(read_text(body, "mode", mode));
  TRY(set_mode(mode, import));
  if (const auto checks = body.find("checks"); checks != body.end() && !checks->is_null()) {
    if (checks->is_string()) {
      import.checks_text = checks->get<std::string>();
    } else if (checks->is_array()) {
      import.checks_json = base::dump_json(*checks);
    } else {
      return wrong_type("checks", "an array, or the text of a file of rules");
    }
  }
  return import;
}

absl::StatusOr<app::ImportRequest> streamed_import(Request& request) {
  if (request.upload->bytes() == 0) {
    return base::invalid("the body is empty", "send the file's content as the body");
  }
  app::ImportRequest import;
  TRY(const std::string mode, choice_query(request, "mode", {"replace", "append"}));
  TRY(set_mode(mode, import));
  TRY(import.format,
      choice_query(request, "format", {"", "csv", "tsv", "json", "jsonl", "parquet", "arff"}));
  import.query = text_query(request, "query");
  import.source_name = text_query(request, "source_name");
  if (const std::string key = text_query(request, "key"); !key.empty()) {
    for (const std::string_view column : base::split(key, ',')) {
      import.key.emplace_back(base::trim(column));
    }
  }
  import.checks_text = text_query(request, "checks");
  import.spooled_file = request.upload->path();
  return import;
}

absl::Status import_dataset(app::App& app, Request& request, Response& response) {
  const bool described = is_description(request);
  TRY(app::ImportRequest import,
      described ? described_import(app, request) : streamed_import(request));
  TRY(const base::Json job,
      app.start_import(caller(request), project(request), name(request), std::move(import)));
  if (!described) {
    request.upload->take();  // The job removes it.
  }
  return answer_job(request, response, job);
}

absl::Status get_rows(app::App& app, Request& request, Response& response) {
  app::RowsRequest rows;
  TRY(rows.limit, integer_query(request, "limit", 100, 0, app.limits().preview_rows));
  TRY(rows.offset, integer_query(request, "offset", 0, 0, INT64_MAX));
  rows.where = text_query(request, "where");
  TRY(const base::Json page,
      app.dataset_rows(project(request), name(request), parameter(request, "version"), rows));
  return answer(response, page);
}

absl::Status export_dataset(app::App& app, Request& request, Response& response) {
  TRY(const std::string format, choice_query(request, "format", {"csv", "jsonl", "parquet"}));
  TRY(const app::Download download,
      app.export_dataset(project(request), name(request), parameter(request, "version"), format,
                         text_query(request, "where")));
  return answer_file(response, download);
}

absl::Status diff_dataset(app::App& app, Request& request, Response& response) {
  const std::string from = text_query(request, "from");
  if (from.empty()) {
    return base::invalid("the query parameter 'from' is missing", "give a version, e.g. from=1");
  }
  std::string to = text_query(request, "to");
  if (to.empty()) {
    to = "latest";
  }
  TRY(const base::Json diff, app.diff_dataset(project(request), name(request), from, to));
  return answer(response, diff);
}

}  // namespace

void add_dataset_handlers(const ApiSurroundings& api, Handlers& handlers) {
  const auto add = adder(api.app, handlers);
  add("list_datasets", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(const app::ListRequest list, list_request(a, q));
    TRY(const base::Json page, a.list_datasets(project(q), list));
    return answer_list(q, r, page);
  });
  add("get_dataset", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(const base::Json document, a.dataset(project(q), name(q)));
    return answer(r, document);
  });
  add("delete_dataset", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(a.delete_dataset(project(q), name(q)));
    return answer_nothing(r);
  });
  add("list_dataset_versions", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(const app::ListRequest list, list_request(a, q));
    TRY(const base::Json page, a.list_dataset_versions(project(q), name(q), list));
    return answer_list(q, r, page);
  });
  add("get_dataset_version", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(const base::Json document, a.dataset_version(project(q), name(q), parameter(q, "version")));
    return answer(r, document);
  });
  add("get_dataset_quarantine", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(const int64_t limit, integer_query(q, "limit", 100, 0, a.limits().preview_rows));
    TRY(const base::Json rows,
        a.dataset_quarantine(project(q), name(q), parameter(q, "version"), limit));
    return answer(r, rows);
  });
  add("import_dataset", import_dataset);
  add("get_dataset_rows", get_rows);
  add("export_dataset", export_dataset);
  add("diff_dataset", diff_dataset);
}

}  // namespace cromford::http
