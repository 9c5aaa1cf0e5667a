// A pit's side of the bus: serves every link that the broker attaches, on one thread.   Layer: endpoint.
//
// The pit runtime adopts the control socket it inherited, says that the pit is ready, and runs. Links are served round
// robin with a cap each; a request is taken only when its reply is sure to fit, so a caller that does not read its
// replies delays nobody else.
// Threads: run() and counters() on the thread that owns the pit [data-thread]; stop() from any thread, but not from a
// signal handler.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <symphony/clock.hpp>
#include <symphony/endpoint.hpp>
#include <symphony/envelope.hpp>
#include <symphony/result.hpp>
#include <symphony/unique_fd.hpp>

namespace symphony {

// One request. The bytes are this process's own copy: nobody changes them.
struct Request {
  const Envelope& envelope;
  std::span<const std::byte> body;  // 8-byte aligned
  std::uint64_t link = 0;
};

// Where a handler puts its one reply.
class ReplyWriter {
 public:
  virtual ~ReplyWriter() = default;
  // Bytes for a reply, in place in the reply ring; empty above ServiceOptions::reply_size_max. A second claim replaces
  // the first.
  [[nodiscard]] virtual std::span<std::byte> claim(std::uint32_t size) noexcept = 0;
  // Makes the first `used` bytes of the claim the reply. Once.
  virtual void commit(std::uint32_t used, std::uint32_t type) noexcept = 0;
  // Ends the request with a status other than ok. Once, instead of commit.
  virtual void fail(CallStatus status, std::string_view text) noexcept = 0;
};

class RequestHandler {
 public:
  virtual ~RequestHandler() = default;
  // Handles one request and ends it: exactly one commit() or fail(). A request left without an ending ends as internal.
  virtual void on_request(const Request& request, ReplyWriter& reply) noexcept = 0;
};

struct ServiceOptions {
  std::string name;
  std::string version;
  std::uint32_t reply_size_max = 64 * 1024;
  Waiting waiting = Waiting::adaptive;         // for requests
  Placement placement = Placement::automatic;  // of run()'s thread, seen from its callers
};

struct ServiceCounters {
  std::uint64_t requests = 0;
  std::uint64_t overdue = 0;      // past their deadline when their turn came: their caller has ended them
  std::uint64_t refused_ids = 0;  // not above the last one of their link
  std::uint64_t peer_faults = 0;
  std::uint64_t sleeps = 0;  // as LinkCounters, over all links
  std::uint64_t spurious_wakes = 0;
  std::uint64_t timeouts = 0;
  std::uint64_t timeouts_with_data = 0;
  std::uint64_t wakes_sent = 0;
  std::uint64_t wakes_needed = 0;
};

namespace detail {
class ServiceCore;
}

class Service {
 public:
  // Takes the control socket that the keeper gave this process and says that the pit is ready.
  // Errors: unreachable, version_mismatch, out_of_descriptors, invalid_argument.
  [[nodiscard]] static result<Service> adopt(UniqueFd control_socket, const ServiceOptions& options);
  Service(Service&&) noexcept;
  Service& operator=(Service&&) noexcept;
  ~Service();

  // Serves until the broker says stop, stop() is called, or keeper and broker are both gone.   [data-thread]
  void run(RequestHandler& handler) noexcept;
  void stop() noexcept;
  [[nodiscard]] ServiceCounters counters() const noexcept;

 private:
  explicit Service(std::unique_ptr<detail::ServiceCore> core) noexcept;
  std::unique_ptr<detail::ServiceCore> core_;
};

}  // namespace symphony
