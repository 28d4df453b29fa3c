#include "table/engine_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "base/status.h"
#include "base/text.h"

namespace cromford::table {
namespace {

// Where the engine begins to speak to its own users.
std::string_view without_hints(std::string_view message) {
  for (const std::string_view hint :
       {"\nLINE ", "\nCandidate ", "\n Candidate ", "\n\tCandidate ", "\nPossible ", "\nTry ",
        " Try increasing", "\nHint:", "\nHINT:", "\nUse ", " Use \"SET", "\nDid you mean",
        "\n\n"}) {
    message = message.substr(0, message.find(hint));
  }
  return base::trim(message);
}

// On one line, and not as an exclamation.
std::string plain(std::string_view message) {
  std::string text(without_hints(message));
  std::replace(text.begin(), text.end(), '\n', ' ');
  while (!text.empty() && (text.back() == '!' || text.back() == '.')) {
    text.pop_back();
  }
  return text;
}

// What stands between `open` and the next `close`.
std::optional<std::string_view> between(std::string_view text, std::string_view open,
                                        std::string_view close) {
  const size_t begin = text.find(open);
  if (begin == std::string_view::npos) {
    return std::nullopt;
  }
  text.remove_prefix(begin + open.size());
  const size_t end = text.find(close);
  return end == std::string_view::npos ? std::nullopt : std::optional(text.substr(0, end));
}

// The names that the engine holds for meant, in its order: the nearest first.
std::string meant(std::string_view message, std::string_view otherwise) {
  std::string_view list;
  for (const std::string_view lead : {"Candidate bindings:", "Did you mean"}) {
    if (const size_t at = message.find(lead); at != std::string_view::npos) {
      list = message.substr(at + lead.size());
      list = list.substr(0, list.find('\n'));
      break;
    }
  }
  std::vector<std::string> names;
  while (const auto name = between(list, "\"", "\"")) {
    names.push_back(fmt::format("\"{}\"", *name));
    list.remove_prefix(static_cast<size_t>(name->data() - list.data()) + name->size() + 1);
  }
  return names.empty() ? std::string(otherwise)
                       : fmt::format("did you mean {}?", base::join(names, " or "));
}

bool has(std::string_view message, std::string_view part) {
  return message.find(part) != std::string_view::npos;
}

// "does not exist" of functions and tables.
std::optional<absl::Status> missing_thing(std::string_view message) {
  if (!has(message, "does not exist")) {
    return std::nullopt;
  }
  const auto name = between(message, "with name ", " does not exist");
  if (!name) {
    return std::nullopt;
  }
  if (has(message, "Function with name") || has(message, "function with name")) {
    return base::invalid(fmt::format("there is no function \"{}\"", base::trim(*name)),
                         meant(message, "see the functions of DuckDB's SQL"));
  }
  if (has(message, "Table with name")) {
    return base::invalid(
        fmt::format("there is no table \"{}\" here", base::trim(*name)),
        "the rows are the table input; WITH clauses may make further tables from it");
  }
  return std::nullopt;
}

}  // namespace

absl::Status words_of_query(std::string_view message) {
  if (const auto column = between(message, "Referenced column \"", "\" not found")) {
    return base::invalid(fmt::format("there is no column \"{}\"", *column),
                         meant(message, "name a column of the rows; texts stand in single quotes"));
  }
  if (auto missing = missing_thing(message)) {
    return *missing;
  }
  if (const auto call = between(message, "argument types '", "'")) {
    return base::invalid(fmt::format("there is no function {} for values of these types", *call),
                         "convert the values, as in CAST(distance AS DOUBLE)");
  }
  if (has(message, "Max expression depth limit")) {
    return base::invalid("the query is nested too deeply", "write it with fewer parentheses");
  }
  if (has(message, "must appear in the GROUP BY clause")) {
    return base::invalid(plain(message),
                         "name the column in GROUP BY, or put it into a function such as max()");
  }
  if (has(message, "Could not convert") || has(message, "Could not cast") ||
      has(message, "out of range") || has(message, "Overflow")) {
    return base::invalid(plain(message),
                         "TRY_CAST gives a missing value where one cannot be converted");
  }
  return base::invalid(plain(message),
                       "correct the query; it is DuckDB's SQL over the table input");
}

namespace {

struct FileFault {
  std::string_view sign;  // in the engine's message
  std::string_view what;  // behind the file's name
  std::string_view remedy;
};

constexpr std::string_view kCopyAgain = "copy the file again from where it comes from";

// In this order.
constexpr FileFault kFileFaults[] = {
    {"No magic bytes found", "is not a Parquet file, or is cut off",
     "leave the format to be found, or copy the file again from where it comes from"},
    {"too small to be a Parquet file", "is not a Parquet file, or is cut off",
     "leave the format to be found, or copy the file again from where it comes from"},
    {"Invalid magic bytes", "is not a Parquet file, or is cut off",
     "leave the format to be found, or copy the file again from where it comes from"},
    {"encrypted", "is encrypted", "give the file as it was before it was encrypted"},
    {"maximum_object_size", "has an object of more than 16 MiB",
     "write it as JSON lines, with one object for each row"},
    {"Metadata size", "is damaged or cut off", kCopyAgain},
    {"Invalid TProtocol", "is damaged or cut off", kCopyAgain},
    {"TProtocolException", "is damaged or cut off", kCopyAgain},
    {"don't know what type", "is damaged or cut off", kCopyAgain},
    {"ZSTD Decompression failure", "is damaged or cut off", kCopyAgain},
    {"Snappy decompression failure", "is damaged or cut off", kCopyAgain},
};

void replace_all(std::string& text, const std::string& what, const std::string& with) {
  for (size_t at = text.find(what); at != std::string::npos;
       at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
}

}  // namespace

absl::Status words_of_file(const absl::Status& status, const KnownFile& file) {
  const std::string message(base::message(status));
  const std::string remedy(base::remedy(status));
  if (remedy.empty()) {
    for (const FileFault& fault : kFileFaults) {
      if (has(message, fault.sign)) {
        return base::invalid(fmt::format("{} {}", file.display_name, fault.what), fault.remedy);
      }
    }
  }
  std::string text = plain(message);
  replace_all(text, file.path, file.display_name);
  if (!has(text, file.display_name)) {
    text = fmt::format("{}: {}", file.display_name, text);
  }
  const absl::Status told(status.code(), text);
  return remedy.empty() ? told : base::with_remedy(told, remedy);
}

}  // namespace cromford::table
