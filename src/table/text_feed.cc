#include "table/text_feed.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "base/limits.h"
#include "base/status.h"

namespace cromford::table {
namespace {

constexpr size_t kBlockBytes = 1U << 20;
constexpr size_t kReadBytes = 256U << 10;

// One block on its way; `ready` under the state's mutex.
struct Slot {
  RowBlock rows;
  ConvertedBlock converted;
  uint64_t position = 0;
  bool ready = false;
};

}  // namespace

struct TextFeed::State {
  TextFeedOptions options;
  TextFeedResult result;

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::shared_ptr<Slot>> in_order;  // what the engine takes, front first
  std::deque<std::shared_ptr<Slot>> to_convert;
  bool read_all = false;
  bool stopping = false;
  absl::Status read_status;
  int64_t repaired_count = 0;
  int64_t comment_count = 0;
  std::string hash;
  std::vector<std::thread> threads;

  // Of the engine's side.
  std::shared_ptr<Slot> current;
  size_t next_chunk = 0;

  ~State() { stop(); }
  void start();
  void stop();
  void read_file();
  // One for each core beside the reader and the engine, which is busy as well.
  size_t converter_count() const { return static_cast<size_t>(std::max(1, options.threads - 1)); }
  absl::Status read_blocks();
  void convert_blocks();
  bool enqueue(RowBlock block, uint64_t position);
  // The next chunk, or nullptr at the end; the status of the result tells how it ended.
  duckdb_data_chunk next();
  absl::Status take(Slot& slot);
  std::shared_ptr<Slot> wait_for_slot();
};

void TextFeed::State::start() {
  // Orders what the feed's maker wrote before what the threads read, as `register_function` does.
  const std::scoped_lock lock(mutex);
  threads.emplace_back([this] { read_file(); });
  for (size_t i = 0; i < converter_count(); ++i) {
    threads.emplace_back([this] { convert_blocks(); });
  }
}

void TextFeed::State::stop() {
  {
    const std::scoped_lock lock(mutex);
    stopping = true;
  }
  changed.notify_all();
  for (std::thread& thread : threads) {
    thread.join();
  }
  threads.clear();
}

void TextFeed::State::read_file() {
  absl::Status status = read_blocks();
  {
    const std::scoped_lock lock(mutex);
    read_all = true;
    read_status = std::move(status);
  }
  changed.notify_all();
}

bool TextFeed::State::enqueue(RowBlock block, uint64_t position) {
  auto slot = std::make_shared<Slot>();
  slot->rows = std::move(block);
  slot->position = position;
  std::unique_lock lock(mutex);
  const size_t slots_max = 2 * converter_count() + 4;  // `threads` is still growing.
  changed.wait(lock, [&] { return stopping || in_order.size() < slots_max; });
  if (stopping) {
    return false;
  }
  in_order.push_back(slot);
  to_convert.push_back(std::move(slot));
  changed.notify_all();
  return true;
}

absl::Status TextFeed::State::read_blocks() {
  const TextFile& file = options.file;
  TRY(auto source, open_bytes(file.path, file.compression, Hashing::kOn));
  if (file.compression != Compression::kNone) {
    source = bounded(std::move(source), options.unpacked_bytes_max, file.display_name);
  }
  Transcoder transcoder(file.encoding);
  RowScanner scanner(file.layout.dialect, file.columns.size());
  scanner.set_next_line(file.layout.preamble_lines + file.layout.header_lines + 1);
  size_t skip = file.layout.preamble_bytes + file.layout.header_bytes;
  std::vector<char> buffer(kReadBytes);
  RowBlock block;
  bool last = false;
  while (!last) {
    // Twice as much each time for a row that does not end, which is looked at from its beginning.
    const size_t wanted = block.text.size() + std::max(kBlockBytes, block.text.size());
    while (!last && block.text.size() < wanted) {
      TRY(options.cancel.check());
      TRY(const size_t count, source->read(buffer));
      last = count == 0;
      transcoder.push({buffer.data(), count}, last, block.text);
      const size_t skipped = std::min(skip, block.text.size());
      block.text.erase(0, skipped);
      skip -= skipped;
    }
    const size_t line = line_end(block.text, 0, file.layout.dialect.carriage_return_ends);
    if (line > RowScanner::kRowBytesMax) {
      return base::invalid(
          fmt::format("{}: line {} is longer than {}", file.display_name, scanner.next_line(),
                      base::format_size(RowScanner::kRowBytesMax)),
          "this is no table of lines; name the format with --format");
    }
    if (line == block.text.size() && !last) {
      continue;  // Cells are cut once their line has come to its end.
    }
    const size_t used = scanner.scan(last, block);
    std::string rest = block.text.substr(used);
    if (!enqueue(std::move(block), source->position())) {
      return absl::OkStatus();
    }
    block = {};
    block.text = std::move(rest);
  }
  TRY(std::string hash_text, source->finish_hash());
  const std::scoped_lock lock(mutex);
  repaired_count = transcoder.repaired_count();
  comment_count = scanner.comment_count();
  hash = std::move(hash_text);
  return absl::OkStatus();
}

void TextFeed::State::convert_blocks() {
  std::unique_lock lock(mutex);
  while (true) {
    changed.wait(lock, [this] { return stopping || read_all || !to_convert.empty(); });
    if (stopping || to_convert.empty()) {
      return;
    }
    const std::shared_ptr<Slot> slot = to_convert.front();
    to_convert.pop_front();
    lock.unlock();
    slot->converted = convert_block(slot->rows, options.file.layout.dialect, options.file.columns);
    slot->rows = {};
    lock.lock();
    slot->ready = true;
    changed.notify_all();
  }
}

std::shared_ptr<Slot> TextFeed::State::wait_for_slot() {
  std::unique_lock lock(mutex);
  constexpr auto kPoll = std::chrono::milliseconds(50);
  while (true) {
    if (!in_order.empty() && in_order.front()->ready) {
      auto slot = in_order.front();
      in_order.pop_front();
      changed.notify_all();
      return slot;
    }
    if (in_order.empty() && read_all) {
      result.status = read_status;
      result.repaired_count = repaired_count;
      result.comment_count = comment_count;
      result.hash = hash;
      return nullptr;
    }
    result.status = options.cancel.check();
    if (!result.status.ok()) {
      return nullptr;
    }
    changed.wait_for(lock, kPoll);
  }
}

absl::Status TextFeed::State::take(Slot& slot) {
  ConvertedBlock& block = slot.converted;
  for (size_t i = 0; i < block.misfits.size(); ++i) {
    result.misfits[i].merge(block.misfits[i]);
    result.marks[i] |= block.marks[i];
    result.infinite[i] += block.infinite[i];
    result.hopeless = result.hopeless || is_hopeless(result.misfits[i]);
  }
  result.row_count += block.row_count;
  result.bad_count += static_cast<int64_t>(block.bad.size());
  if (result.hopeless) {
    return base::internal("the columns' types must be found anew");
  }
  if (!block.bad.empty() && options.on_bad) {
    TRY(options.on_bad(block.bad));
  }
  if (options.on_progress) {
    options.on_progress(slot.position, result.row_count);
  }
  return absl::OkStatus();
}

duckdb_data_chunk TextFeed::State::next() {
  if (threads.empty()) {
    start();
  }
  while (true) {
    if (current != nullptr && next_chunk < current->converted.chunks.size()) {
      return current->converted.chunks[next_chunk++].get();
    }
    current = wait_for_slot();
    next_chunk = 0;
    if (current == nullptr) {
      return nullptr;
    }
    result.status = take(*current);
    if (!result.status.ok()) {
      return nullptr;
    }
  }
}

namespace {

void bind_feed(duckdb_bind_info info) {
  const auto* state = static_cast<const TextFeed::State*>(duckdb_bind_get_extra_info(info));
  for (const PlannedColumn& column : state->options.file.columns) {
    duckdb_logical_type logical = duckdb_create_logical_type(duck::type_id(column.plan.type));
    duckdb_bind_add_result_column(info, column.name.c_str(), logical);
    duckdb_destroy_logical_type(&logical);
  }
}

void init_feed(duckdb_init_info info) {
  duckdb_init_set_max_threads(info, 1);  // The rows come in the order of the file.
}

void pull_from_feed(duckdb_function_info info, duckdb_data_chunk output) {
  auto* state = static_cast<TextFeed::State*>(duckdb_function_get_extra_info(info));
  duckdb_data_chunk chunk = state->next();
  if (chunk == nullptr) {
    if (!state->result.status.ok()) {
      const std::string text(base::message(state->result.status));
      duckdb_function_set_error(info, text.c_str());
    }
    duckdb_data_chunk_set_size(output, 0);
    return;
  }
  for (idx_t i = 0; i < duckdb_data_chunk_get_column_count(output); ++i) {
    duckdb_vector_reference_vector(duckdb_data_chunk_get_vector(output, i),
                                   duckdb_data_chunk_get_vector(chunk, i));
  }
  duckdb_data_chunk_set_size(output, duckdb_data_chunk_get_size(chunk));
}

}  // namespace

TextFeed::TextFeed(TextFeedOptions options) : state_(std::make_unique<State>()) {
  state_->result.misfits.resize(options.file.columns.size());
  state_->result.marks.resize(options.file.columns.size());
  state_->result.infinite.resize(options.file.columns.size());
  state_->options = std::move(options);
}

TextFeed::~TextFeed() = default;

const TextFeedResult& TextFeed::result() const {
  return state_->result;
}

absl::Status TextFeed::register_function(duck::Connection& connection, const std::string& name) {
  // The engine hands the feed to a thread of its own in ways that the thread sanitizer cannot see.
  const std::scoped_lock lock(state_->mutex);
  duckdb_table_function function = duckdb_create_table_function();
  duckdb_table_function_set_name(function, name.c_str());
  duckdb_table_function_set_extra_info(function, state_.get(), nullptr);
  duckdb_table_function_set_bind(function, bind_feed);
  duckdb_table_function_set_init(function, init_feed);
  duckdb_table_function_set_function(function, pull_from_feed);
  const duckdb_state state = duckdb_register_table_function(connection.get(), function);
  duckdb_destroy_table_function(&function);
  if (state != DuckDBSuccess) {
    return base::internal(fmt::format("the data engine does not take the function {}", name));
  }
  return absl::OkStatus();
}

}  // namespace cromford::table
