// Dictionaries of categories and vocabularies of words.

#include <algorithm>
#include <cmath>
#include <string>
#include <unordered_map>

#include "learn/features/plan.h"
#include "model/features/tokens.h"

namespace cromford::learn {
namespace {

constexpr size_t kEntriesMax = 50000;
constexpr uint32_t kKeptMax = 20000;

// How often each dictionary code of the column occurs.
std::vector<uint32_t> code_counts(const table::Column& column, const Problem& problem,
                                  const std::vector<uint32_t>& positions) {
  std::vector<uint32_t> counts(column.dictionary.size(), 0);
  for (const uint32_t position : positions) {
    const uint32_t row = problem.rows[position];
    if (column.valid(row)) {
      ++counts[column.codes[row]];
    }
  }
  return counts;
}

}  // namespace

model::Dictionary make_dictionary(const table::Column& column, uint32_t field,
                                  const Problem& problem, const std::vector<uint32_t>& positions) {
  const std::vector<uint32_t> counts = code_counts(column, problem, positions);
  std::vector<uint32_t> order;
  for (uint32_t code = 0; code < counts.size(); ++code) {
    if (counts[code] > 0 && !column.dictionary[code].empty()) {
      order.push_back(code);
    }
  }
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return counts[a] != counts[b] ? counts[a] > counts[b]
                                  : column.dictionary[a] < column.dictionary[b];
  });
  // A value seen once cannot be told from one never seen.
  const uint32_t fewest = positions.size() < 200 ? 2 : positions.size() < 20000 ? 3 : 5;
  model::Dictionary dictionary{.column = field, .entries = {}, .kept_count = 0};
  for (const uint32_t code : order) {
    if (dictionary.entries.size() == kEntriesMax) {
      break;
    }
    dictionary.entries.push_back(column.dictionary[code]);
    dictionary.kept_count += counts[code] >= fewest && dictionary.kept_count < kKeptMax ? 1 : 0;
  }
  return dictionary;
}

model::TextTokens make_tokens(const table::Column& column, uint32_t field, const Problem& problem,
                              const std::vector<uint32_t>& positions, size_t width_max) {
  const std::vector<uint32_t> counts = code_counts(column, problem, positions);
  std::unordered_map<std::string, uint32_t> in_texts;
  uint32_t texts = 0;
  std::string scratch;
  // The texts of at most so many distinct values are read; the vocabulary is of frequent words.
  constexpr size_t texts_read = 100000;
  const size_t step = counts.size() / texts_read + 1;
  for (size_t code = 0; code < counts.size(); code += step) {
    if (counts[code] == 0) {
      continue;
    }
    texts += counts[code];
    std::vector<std::string> words;
    model::for_each_token(model::TokenKind::kWords, column.dictionary[code], scratch,
                          [&words](std::string_view word) { words.emplace_back(word); });
    std::sort(words.begin(), words.end());
    words.erase(std::unique(words.begin(), words.end()), words.end());
    for (std::string& word : words) {
      in_texts[std::move(word)] += counts[code];
    }
  }
  const uint32_t fewest = std::max<uint32_t>(texts < 1000 ? 2 : 5, texts / 5000);
  std::vector<std::pair<uint32_t, std::string>> frequent;
  for (const auto& [word, count] : in_texts) {
    if (count >= fewest && count * size_t{100} <= texts * size_t{99}) {
      frequent.emplace_back(count, word);
    }
  }
  std::sort(frequent.begin(), frequent.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  frequent.resize(std::min(frequent.size(), width_max));
  model::TextTokens tokens{.column = field, .normalize = false, .vocabulary = {}, .idf = {}};
  for (auto& [count, word] : frequent) {
    tokens.idf.push_back(
        static_cast<float>(std::log((1.0 + texts) / (1.0 + static_cast<double>(count))) + 1));
    tokens.vocabulary.push_back(std::move(word));
  }
  tokens.width = static_cast<uint32_t>(tokens.vocabulary.size());
  return tokens;
}

}  // namespace cromford::learn
