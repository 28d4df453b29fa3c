#pragma once

// Carries alerts out of the factory. What is to be sent lies in the metadata, written together with
// the alert itself, until it was taken or has been tried for a day: with pauses that double from
// ten seconds to an hour. A thread of its own sends, so that a receiver that hangs holds up nobody
// else.
//
//   AlertSender sender(context, make_alert_transport(options));
//   sender.start();
//   sender.wake();                       // something new is laid out
//
// The address of a webhook may be a secret: it is read from the policy when it is needed, and
// stands neither in what is laid out nor in the log.
//
// Thread safety: start() before anything else; then every member from any thread.

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "app/context.h"
#include "app/rounds.h"
#include "base/cancel.h"
#include "monitor/alerts.h"
#include "monitor/window_store.h"

namespace cromford::app {

struct AlertChannels;

// The ways out.
class AlertTransport {
 public:
  virtual ~AlertTransport() = default;
  // POSTs JSON; OK for an answer from 200 to 299.
  virtual absl::Status post(const std::string& url, const std::string& json) = 0;
  // Sends a message of plain text; FAILED_PRECONDITION where no mail server is configured.
  virtual absl::Status mail(const std::vector<std::string>& to, const std::string& subject,
                            const std::string& text) = 0;

 protected:
  AlertTransport() = default;
  AlertTransport(const AlertTransport&) = default;
  AlertTransport& operator=(const AlertTransport&) = default;
};

// Over libcurl. Connections of webhooks lead to public addresses only, unless the configuration
// allows others; redirects are not followed; nothing takes longer than ten seconds.
std::unique_ptr<AlertTransport> make_alert_transport(const Options& options,
                                                     base::CancelToken cancel);

class AlertSender {
 public:
  // The transport of make_alert_transport().
  explicit AlertSender(Context& context);
  AlertSender(Context& context, std::unique_ptr<AlertTransport> transport);
  ~AlertSender();
  AlertSender(const AlertSender&) = delete;
  AlertSender& operator=(const AlertSender&) = delete;

  void start();
  void wake();
  void stop();

  // Sends what is due now; the number of what was taken.
  absl::StatusOr<int> send_due();

 private:
  void loop();
  absl::Status send(const std::string& project, const base::Json& delivery);
  absl::Status settle(const store::Document& document, const absl::Status& sent);

  Context& context_;
  base::CancelSource cancel_;
  std::unique_ptr<AlertTransport> transport_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  bool woken_ = false;
  std::thread thread_;
};

// What is to be written so that an alert is sent; nothing while it is silenced.
std::vector<store::Write> deliveries(const EndpointName& name, const monitor::Alert& alert,
                                     const AlertChannels& channels, base::Time now);
// The alerts of an endpoint that are firing or acknowledged.
absl::StatusOr<std::vector<monitor::Alert>> open_alerts(const store::Metadata& metadata,
                                                        const EndpointName& name);
// Of a window's answered requests; nothing where there are fewer than a hundred.
std::optional<double> p99_ms(const monitor::StoredWindow& window);

}  // namespace cromford::app
