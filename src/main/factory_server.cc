#include "main/factory_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <thread>

#include "app/app.h"
#include "base/clock.h"
#include "base/file_system.h"
#include "base/random.h"
#include "base/text.h"
#include "flow/events.h"
#include "http/api.h"
#include "http/server.h"

namespace cromford::main_program {
namespace {

constexpr size_t kTokenBytes = 24;
constexpr int kLoopThreadsMax = 4;

// The hub's events in the words of the HTTP server.
class HubStream final : public http::EventStream {
 public:
  explicit HubStream(std::unique_ptr<flow::Subscription> subscription)
      : subscription_(std::move(subscription)) {}

  std::optional<http::Event> next() override {
    std::optional<flow::Event> event = subscription_->next();
    if (!event.has_value()) {
      return std::nullopt;
    }
    return http::Event{
        .id = event->id, .type = std::move(event->type), .data = std::move(event->data)};
  }

 private:
  std::unique_ptr<flow::Subscription> subscription_;
};

// Answers that outlive the server, as notes of the app.
class NoteLog final : public http::AnswerLog {
 public:
  explicit NoteLog(app::App& app) : app_(app) {}
  absl::StatusOr<std::optional<std::string>> find(const std::string& key) override {
    return app_.find_note(key);
  }
  absl::Status put(const std::string& key, const std::string& note) override {
    return app_.put_note(key, note);
  }
  absl::Status remove(const std::string& key) override { return app_.remove_note(key); }

 private:
  app::App& app_;
};

http::OpenEvents open_events(flow::EventHub& hub) {
  return [&hub](std::string_view project, std::vector<std::string> topics,
                std::optional<uint64_t> after, std::function<void()> wake) {
    return std::make_unique<HubStream>(
        hub.subscribe(project, std::move(topics), after, std::move(wake)));
  };
}

std::string new_token() {
  std::array<std::byte, kTokenBytes> bytes{};
  base::system_entropy().fill(bytes);
  return base::to_base64url({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

int loop_threads(const Config& config) {
  const int cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  return config.http_threads > 0 ? config.http_threads : std::min(cores, kLoopThreadsMax);
}

class Running final : public FactoryServer {
 public:
  Running(std::unique_ptr<app::App> app, std::string owner_token)
      : app_(std::move(app)),
        answers_(*app_),
        gate_(*app_),
        metrics_(http::api_routes()),
        owner_token_(std::move(owner_token)) {}
  ~Running() override { stop(); }

  absl::Status listen(const Config& config) {
    http::ServerOptions options;
    options.listen = config.listen;
    options.loop_threads = loop_threads(config);
    options.spool_directory = app_->spool_directory();
    options.token = config.token;
    options.owner_token = owner_token_;
    options.host_names = config.host_names;
    options.limits = config.limits;
    TRY(http::Router router, http::api_router({*app_, metrics_, open_events(app_->events())}));
    TRY(server_, http::Server::start(options, std::move(router),
                                     {base::system_clock(), base::system_entropy(),
                                      base::system_files(), metrics_, &answers_, &gate_}));
    return app_->announce(server_->address(), owner_token_);
  }

  std::string address() const override { return server_->address(); }
  std::string owner_token() const override { return owner_token_; }
  bool in_use() const override { return metrics_.open_connections() > 0; }

  void stop() override {
    if (server_ != nullptr) {
      app_->end_queries();  // Else the server would wait for their answers.
      server_->stop();
      server_.reset();
    }
    if (app_ != nullptr) {
      app_->stop();
      app_.reset();
    }
  }

 private:
  std::unique_ptr<app::App> app_;
  NoteLog answers_;
  http::PredictionGate gate_;
  http::Metrics metrics_;
  std::string owner_token_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<FactoryServer>> FactoryServer::start(
    const std::filesystem::path& home, const Config& config, const ProgramFacts& facts, Stay stay) {
  TRY(check_exposure(config));
  TRY(std::unique_ptr<app::App> app,
      app::App::create({.home = home,
                        .version = facts.version,
                        .commit = facts.commit,
                        .worker_command = {facts.executable.string(), "worker"},
                        .takes_up_jobs = stay == Stay::kServer,
                        .limits = config.limits,
                        .allow_private_urls = config.allow_private_urls,
                        .smtp = config.smtp,
                        // A command that hosts the factory for a moment counts when it ends.
                        .round_interval = std::chrono::seconds(stay == Stay::kServer ? 60 : 0),
                        // Each loop, and as many threads again for what takes longer.
                        .prediction_threads = 2 * static_cast<size_t>(loop_threads(config)),
                        .durability = config.log.durability,
                        .full_disk = config.log.full_disk,
                        .log_retention = config.log.retention}));
  auto running = std::make_unique<Running>(std::move(app), new_token());
  TRY(running->listen(config));
  return std::unique_ptr<FactoryServer>(std::move(running));
}

}  // namespace cromford::main_program
