#include "monitor/window_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/json.h"
#include "base/status.h"
#include "base/text.h"

namespace cromford::monitor {
namespace {

constexpr std::string_view kKind = "window_counts";
constexpr int32_t kPage = 1000;
constexpr std::chrono::hours kAhead{24};
constexpr std::chrono::seconds kDay = std::chrono::hours(24);  // The longest that is stored.

// The time comes first, so that names are in its order.
std::string from_time(const std::string& endpoint, base::Time time) {
  return fmt::format("{}/{}", endpoint, base::format_time(time));
}

store::DocumentKey key_of(const std::string& project, const std::string& endpoint,
                          const StoredWindow& stored) {
  const WindowCounts& window = stored.window;
  return {project, std::string(kKind),
          fmt::format("{}/{}/{}@{}{}", from_time(endpoint, window.start), window.length.count(),
                      window.model, window.version, stored.shadow ? "/shadow" : "")};
}

std::string body_of(const std::string& endpoint, const StoredWindow& stored) {
  const WindowCounts& window = stored.window;
  return base::dump_json({{"endpoint", endpoint},
                          {"model", window.model},
                          {"model_version", window.version},
                          {"start", base::format_time(window.start)},
                          {"length_s", window.length.count()},
                          {"shadow", stored.shadow},
                          {"rows", window.rows},
                          {"errors", stored.errors},
                          {"latency", stored.latency},
                          {"latency_sum_ns", stored.latency_sum_ns},
                          {"counts", base::to_base64url(encode(window))}});
}

absl::StatusOr<StoredWindow> read(const store::Document& document) {
  TRY(const base::Json body, base::parse_json(document.body));
  const auto counts = base::from_base64url(body.value("counts", std::string()));
  if (!counts) {
    return base::damaged(fmt::format("{} is damaged", store::describe(document.key)));
  }
  StoredWindow stored{.shadow = body.value("shadow", false),
                      .errors = body.value("errors", uint64_t{0}),
                      .latency = body.value("latency", std::vector<uint64_t>()),
                      .latency_sum_ns = body.value("latency_sum_ns", uint64_t{0})};
  TRY(stored.window, decode_window_counts(*counts));
  return stored;
}

bool on_the_same_bins(const WindowCounts& a, const WindowCounts& b) {
  return a.counts.size() == b.counts.size();
}

}  // namespace

absl::Status merge(const StoredWindow& other, StoredWindow& into) {
  TRY(merge(other.window, into.window));
  into.errors += other.errors;
  into.latency_sum_ns += other.latency_sum_ns;
  into.latency.resize(std::max(into.latency.size(), other.latency.size()));
  for (size_t i = 0; i < other.latency.size(); ++i) {
    into.latency[i] += other.latency[i];
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<store::Write>> WindowStore::sums_of(
    const std::string& project, const std::string& endpoint,
    std::span<const StoredWindow> windows) const {
  struct Sum {
    store::DocumentKey key;
    StoredWindow stored;
    int64_t revision = store::kMustNotExist;
  };
  std::map<std::string, Sum> sums;
  for (const StoredWindow& each : windows) {
    store::DocumentKey key = key_of(project, endpoint, each);
    auto found = sums.find(key.name);
    if (found == sums.end()) {
      const absl::StatusOr<store::Document> document = metadata_.get(key);
      if (!document.ok() && !absl::IsNotFound(document.status())) {
        return document.status();
      }
      StoredWindow before{.window = each.window, .shadow = each.shadow};
      before.window.rows = 0;
      before.window.counts.assign(each.window.counts.size(), 0);
      if (document.ok()) {
        TRY(StoredWindow known, read(*document));
        if (on_the_same_bins(known.window, each.window)) {
          before = std::move(known);
        }
      }
      Sum sum{.key = key,
              .stored = std::move(before),
              .revision = document.ok() ? document->revision : store::kMustNotExist};
      found = sums.emplace(key.name, std::move(sum)).first;
    }
    TRY(merge(each, found->second.stored));
  }
  std::vector<store::Write> writes;
  writes.reserve(sums.size());
  for (auto& [name, sum] : sums) {
    writes.push_back(
        store::Write::put(std::move(sum.key), body_of(endpoint, sum.stored), sum.revision));
  }
  return writes;
}

absl::Status WindowStore::add(const std::string& project, const std::string& endpoint,
                              std::span<const StoredWindow> windows) {
  TRY(const std::vector<store::Write> writes, sums_of(project, endpoint, windows));
  return writes.empty() ? absl::OkStatus() : metadata_.commit(writes).status();
}

absl::StatusOr<uint64_t> WindowStore::fold(const std::string& project, const std::string& endpoint,
                                           base::Time before) {
  std::vector<StoredWindow> hours;
  std::vector<store::Write> removals;
  std::string token;
  do {
    TRY(const store::DocumentPage page,
        metadata_.list({.project = project,
                        .kind = std::string(kKind),
                        .name_prefix = endpoint + "/",
                        .filter = fmt::format("length_s < {} AND name < \"{}\"", kDay.count(),
                                              from_time(endpoint, before)),
                        .page_size = kPage,
                        .page_token = token}));
    for (const store::Document& document : page.documents) {
      TRY(StoredWindow hour, read(document));
      hour.window.start = window_start(hour.window.start, kDay);
      hour.window.length = kDay;
      hours.push_back(std::move(hour));
      removals.push_back(store::Write::remove(document.key, document.revision));
    }
    token = page.next_page_token;
  } while (!token.empty());
  if (hours.empty()) {
    return uint64_t{0};
  }
  TRY(std::vector<store::Write> writes, sums_of(project, endpoint, hours));
  std::ranges::move(removals, std::back_inserter(writes));
  TRY(metadata_.commit(writes));
  return uint64_t{removals.size()};
}

absl::StatusOr<std::vector<StoredWindow>> WindowStore::list(const std::string& project,
                                                            const std::string& endpoint,
                                                            const Period& period) const {
  std::string filter;
  if (period.from) {
    // A day that began before may end within the period.
    filter = fmt::format("name >= \"{}\"", from_time(endpoint, *period.from - kDay));
  }
  if (period.to) {
    filter += fmt::format("{}name < \"{}\"", filter.empty() ? "" : " AND ",
                          from_time(endpoint, *period.to));
  }
  std::vector<StoredWindow> out;
  std::string token;
  do {
    TRY(const store::DocumentPage page, metadata_.list({.project = project,
                                                        .kind = std::string(kKind),
                                                        .name_prefix = endpoint + "/",
                                                        .filter = filter,
                                                        .page_size = kPage,
                                                        .page_token = token}));
    for (const store::Document& document : page.documents) {
      TRY(StoredWindow stored, read(document));
      if (!period.from || stored.window.end() > *period.from) {
        out.push_back(std::move(stored));
      }
    }
    token = page.next_page_token;
  } while (!token.empty());
  return out;
}

absl::StatusOr<std::optional<base::Time>> WindowStore::watermark(const std::string& project,
                                                                 const std::string& endpoint,
                                                                 base::Time now) const {
  TRY(const store::DocumentPage page,
      metadata_.list({.project = project,
                      .kind = std::string(kKind),
                      .name_prefix = endpoint + "/",
                      .filter = fmt::format("name < \"{}\"", from_time(endpoint, now + kAhead)),
                      .order_by = "name desc",
                      .page_size = 1}));
  if (page.documents.empty()) {
    return std::optional<base::Time>();
  }
  TRY(const StoredWindow last, read(page.documents.front()));
  // Days take the place of hours long after them, so the last window is an hour.
  return std::optional<base::Time>(last.window.start);
}

}  // namespace cromford::monitor
