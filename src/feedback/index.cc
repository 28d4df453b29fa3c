#include "feedback/index.h"

#include <algorithm>
#include <utility>

namespace cromford::feedback {
namespace {

constexpr size_t kSlotsMin = 1024;
constexpr size_t kMergeFiles = 4;

}  // namespace

void IndexTable::insert(const IndexEntry& entry) {
  entries_.push_back(entry);
  if (entries_.size() * 2 > slots_.size()) {
    slots_.assign(std::max(kSlotsMin, slots_.size() * 2), 0);
    for (uint32_t i = 0; i < entries_.size(); ++i) {
      place(i);
    }
  } else {
    place(static_cast<uint32_t>(entries_.size() - 1));
  }
}

void IndexTable::place(uint32_t index) {
  const size_t mask = slots_.size() - 1;
  size_t slot = entries_[index].fingerprint & mask;
  while (slots_[slot] != 0) {
    slot = (slot + 1) & mask;
  }
  slots_[slot] = index + 1;
}

void IndexTable::find(uint64_t fingerprint, std::vector<IndexEntry>& out) const {
  if (slots_.empty()) {
    return;
  }
  const size_t mask = slots_.size() - 1;
  for (size_t slot = fingerprint & mask; slots_[slot] != 0; slot = (slot + 1) & mask) {
    const IndexEntry& entry = entries_[slots_[slot] - 1];
    if (entry.fingerprint == fingerprint) {
      out.push_back(entry);
    }
  }
}

void Index::find(uint64_t fingerprint, std::vector<IndexEntry>& out) const {
  for (const auto& [segment, table] : tables_) {
    table.find(fingerprint, out);
  }
  for (const Files* files : {&files_, &aside_}) {
    for (const auto& file : *files) {
      file->find(fingerprint, out);
    }
  }
}

std::vector<IndexEntry> Index::table_entries(uint32_t segment) const {
  const auto table = tables_.find(segment);
  return table == tables_.end() ? std::vector<IndexEntry>() : table->second.entries();
}

void Index::replace_tables(std::span<const uint32_t> segments,
                           std::shared_ptr<const IndexFile> file) {
  for (const uint32_t segment : segments) {
    tables_.erase(segment);
  }
  files_.push_back(std::move(file));
}

void Index::replace_files(const Files& old, std::shared_ptr<const IndexFile> merged) {
  std::erase_if(files_, [&](const auto& file) {
    return std::find(old.begin(), old.end(), file) != old.end();
  });
  if (merged != nullptr) {
    files_.push_back(std::move(merged));
  }
}

void Index::set_aside(const std::shared_ptr<const IndexFile>& file) {
  std::erase(files_, file);
  aside_.push_back(file);
}

Index::Files Index::due_for_merge() const {
  std::map<uint32_t, Files> levels;
  for (const auto& file : files_) {
    Files& level = levels[file->level()];
    level.push_back(file);
    if (level.size() == kMergeFiles) {
      return level;
    }
  }
  return {};
}

}  // namespace cromford::feedback
