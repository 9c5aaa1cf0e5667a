#include "bench/latency/call_pair.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include <symphony/broker.hpp>
#include <symphony/clock.hpp>
#include <symphony/endpoint.hpp>
#include <symphony/service.hpp>

#include "bench/latency/order.hpp"
#include "bench/support/pinning.hpp"

namespace symphony::bench {
namespace {

constexpr std::uint32_t type_echo = 1, type_raw_first = 2;  // 2 + path: one turn of it
constexpr std::size_t class_turns = 15;                     // behind whose median stands a pair's class
constexpr std::uint32_t large_ring = 8 * large_size;        // the largest reply is less than a quarter of the ring
// One round trip more: it waits until the other side is there.
constexpr std::size_t raw_turn_size(std::size_t path) noexcept {
  return path == copy_in_place || path == copy_along ? large_turn_size : turn_size;
}

// ---- the pit's side

class Answerer final : public RequestHandler {
 public:
  explicit Answerer(RawPaths paths) : paths_(std::move(paths)) {}
  void on_request(const Request& request, ReplyWriter& reply) noexcept override {
    const std::uint32_t type = request.envelope.type;
    if (type == type_id_of<Order>) return on_order(request, reply);
    for (std::size_t i = 0; type >= type_raw_first && i <= raw_turn_size(type - type_raw_first); ++i) {
      (void)paths_.answer(type - type_raw_first);
    }
    const auto out = reply.claim(static_cast<std::uint32_t>(request.body.size()));
    if (out.size() != request.body.size()) return reply.fail(status::too_large, "larger than reply_size_max");
    if (!out.empty()) std::memcpy(out.data(), request.body.data(), out.size());
    reply.commit(static_cast<std::uint32_t>(out.size()), type_echo);
  }

 private:
  void on_order(const Request& request, ReplyWriter& reply) noexcept {
    const Order* const order = verified_order(request.body);
    if (order == nullptr || !is_order(*order, order->id())) return reply.fail(status::bad_message, "not an Order");
    builder_.Finish(order_of(builder_, order->id() + 1));
    const auto out = reply.claim(builder_.GetSize());
    if (out.size() != builder_.GetSize()) return reply.fail(status::too_large, "larger than reply_size_max");
    std::memcpy(out.data(), builder_.GetBufferPointer(), out.size());
    reply.commit(builder_.GetSize(), type_id_of<Order>);
    builder_.Clear();
  }

  RawPaths paths_;
  flatbuffers::FlatBufferBuilder builder_;
};

// ---- the caller's side

double median(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// A broker, its pit, and a link to it.
struct Setting {
  UniqueFd memory;
  std::optional<RawPaths> paths;
  std::optional<EmbeddedBroker> broker;
  std::optional<Endpoint> endpoint;
  Link link;
  std::optional<CpuPair> cpus;
};

result<void> set_up(const CallPairOptions& options, Setting& out) {
  out.memory = UniqueFd(::memfd_create("bench_call", MFD_CLOEXEC));
  if (!out.memory || ::ftruncate(out.memory.get(), static_cast<off_t>(RawPaths::bytes())) != 0) {
    return unexpected(errc::out_of_memory, "no memory for the raw paths", errno);
  }
  auto paths = RawPaths::map(out.memory.get(), 0);
  if (!paths) return unexpected(paths.error());
  out.paths.emplace(*std::move(paths));
  out.cpus = two_cpus();
  PitConfig pit;
  pit.name = "echo";
  pit.executable = options.program;
  pit.trust = options.trust;
  const std::uint32_t reply_size_max = options.is_large ? large_size : ServiceOptions{}.reply_size_max;
  pit.args = {"--pit", "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(out.memory.get()),
              std::to_string(out.cpus ? out.cpus->helper : -1), std::to_string(reply_size_max)};
  auto broker = EmbeddedBroker::start({.pits = {pit}, .keeper_executable = {}, .seed = 0});
  if (!broker) return unexpected(broker.error());
  out.broker.emplace(*std::move(broker));
  auto socket = out.broker->connect();
  if (!socket) return unexpected(socket.error());
  auto endpoint = Endpoint::adopt(*std::move(socket));
  if (!endpoint) return unexpected(endpoint.error());
  out.endpoint.emplace(*std::move(endpoint));
  LinkOptions of_link;
  of_link.waiting = options.waiting;
  if (options.is_large) of_link.request_capacity = of_link.reply_capacity = large_ring;
  auto link = out.endpoint->open("echo", of_link);
  if (!link) return unexpected(link.error());
  out.link = *std::move(link);
  return {};
}

class Caller {
 public:
  Caller(Setting& setting, bool is_large) : link_(setting.link), paths_(*setting.paths), body_(large_size) {
    if (!is_large) {
      builder_.Finish(order_of(builder_, 1));
      is_right_size_ = builder_.GetSize() == order_size;
      builder_.Clear();
    }
  }
  [[nodiscard]] bool is_right_size() const noexcept { return is_right_size_; }

  [[nodiscard]] static bool has(std::size_t point, std::size_t kind) noexcept {
    return point == typed ? kind != limit_again : kind != beside || point == large;
  }

  // One turn; nanoseconds a round trip. Of the tail, each round trip goes into `tails` besides.
  bool turn(std::size_t point, std::size_t kind, CallPairResult& into, double& ns) {
    if (kind == ours || (point == typed && kind == beside)) {
      const std::size_t count = point == large ? large_turn_size : turn_size;
      return timed(count, point, kind, into, ns, [&] { return step(point, kind); });
    }
    const std::size_t path = path_of(point, kind);
    const auto id = link_.try_start(type_raw_first + static_cast<std::uint32_t>(path), {});
    if (!id) return false;
    const auto trip = [&] { return paths_.round_trip(path); };
    return trip() /* waits until the handler has begun */ && timed(raw_turn_size(path), point, kind, into, ns, trip) &&
           link_.wait(*id).ok();
  }

 private:
  [[nodiscard]] static std::size_t path_of(std::size_t point, std::size_t kind) noexcept {
    return point == tail    ? 0
           : point == typed ? static_cast<std::size_t>(line_of_order)
           : point == large ? static_cast<std::size_t>(kind == beside ? copy_along : copy_in_place)
                            : point;
  }

  template <class Step>
  static bool timed(std::size_t count, std::size_t point, std::size_t kind, CallPairResult& into, double& ns,
                    Step&& step) {
    const TimeNs start = now_ns();
    for (std::size_t i = 0; i < count; ++i) {
      const TimeNs began = point == tail ? now_ns() : 0;
      if (!step()) return false;
      if (point == tail) into.tails[kind].record(static_cast<std::uint64_t>(now_ns() - began));
    }
    ns = static_cast<double>(now_ns() - start) / static_cast<double>(count);
    return true;
  }

  bool step(std::size_t point, std::size_t kind) {
    if (point == typed) return kind == beside ? build_verify_read(builder_, ++serial_) : typed_call();
    return plain_call(point == large ? large_size : point == tail ? line_sizes[0] : line_sizes[point]);
  }
  bool plain_call(std::size_t size) noexcept {
    const std::span body(body_.data(), size);
    RawPaths::mark(body, ++serial_);  // user data written and read; all of it is copied by the link on both sides
    const Reply reply = link_.call(type_echo, body);
    return reply.ok() && reply.body.size() == size && RawPaths::is_marked(reply.body, serial_);
  }
  bool typed_call() {
    const std::uint64_t number = ++serial_;
    const auto reply = symphony::call<Order>(link_, builder_, order_of(builder_, number));
    return reply && is_order(*reply.root, number + 1);
  }

  Link& link_;
  RawPaths& paths_;
  std::vector<std::byte> body_;
  flatbuffers::FlatBufferBuilder builder_;
  std::uint64_t serial_ = 0;
  bool is_right_size_ = true;
};

bool class_round_trip(Caller& caller, double& ns) {
  std::vector<double> times(class_turns);
  CallPairResult nowhere;
  for (double& time : times) {
    if (!caller.turn(0, limit, nowhere, time)) return false;
  }
  ns = median(times);
  return true;
}

bool measure_point(Caller& caller, std::size_t point, std::size_t rounds, CallPairResult& result) {
  std::array<std::vector<double>, kind_count> times;
  for (std::size_t round = 0; round <= rounds; ++round) {
    for (std::size_t k = 0; k < kind_count; ++k) {
      const std::size_t kind = (k + round) % kind_count;  // each follows each other one
      if (!Caller::has(point, kind)) continue;
      double ns = 0;
      if (!caller.turn(point, kind, result, ns)) return false;
      if (round != 0) times[kind].push_back(ns);  // the first one warms up
    }
    if (round == 0) {
      for (Histogram& of_kind : result.tails) {
        if (point == tail) of_kind.reset();
      }
    }
  }
  for (std::size_t kind = 0; kind < kind_count; ++kind) {
    if (times[kind].empty()) continue;
    result.ns[point][kind] =
        point == tail ? static_cast<double>(result.tails[kind].percentile_ns(99)) : median(times[kind]);
  }
  return true;
}

}  // namespace

std::optional<CallPairResult> run_call_pair(const CallPairOptions& options) {
  Setting setting;
  if (const auto ready = set_up(options, setting); !ready) {
    std::fprintf(stderr, "bench_call: %s\n", ready.error().text);
    return std::nullopt;
  }
  const Pinned pinned(setting.cpus ? std::optional(setting.cpus->caller) : std::nullopt);
  Caller caller(setting, options.is_large);
  if (!caller.is_right_size()) {
    std::fputs("bench_call: the typed message has not the size that it is measured for; mend order.hpp\n", stderr);
    return std::nullopt;
  }
  auto result = std::make_unique<CallPairResult>();
  result->self_point = options.is_large ? large : static_cast<Point>(0);
  bool done = class_round_trip(caller, result->rtt_before_ns) && class_round_trip(caller, result->rtt_before_ns);
  for (std::size_t point = 0; done && point < point_count; ++point) {
    if ((point == large) == options.is_large) done = measure_point(caller, point, options.rounds, *result);
  }
  if (done && class_round_trip(caller, result->rtt_after_ns)) return *result;
  std::fputs("bench_call: a call or a raw round trip failed\n", stderr);
  return std::nullopt;
}

int be_call_pit(const char* memory, const char* cpu, const char* reply_size_max) {
  const Pinned pinned(std::atoi(cpu) >= 0 ? std::optional(std::atoi(cpu)) : std::nullopt);
  const char* control = std::getenv("SYMPHONY_CONTROL_FD");
  const UniqueFd fd(::open(memory, O_RDWR | O_CLOEXEC));
  if (control == nullptr || !fd) return 1;
  auto paths = RawPaths::map(fd.get(), 1);
  if (!paths) return 1;
  auto service =
      Service::adopt(UniqueFd(std::atoi(control)),
                     {.name = "echo",
                      .version = "1.0.0",
                      .reply_size_max = static_cast<std::uint32_t>(std::strtoul(reply_size_max, nullptr, 10))});
  if (!service) return 1;
  Answerer answerer(*std::move(paths));
  service->run(answerer);
  return 0;
}

}  // namespace symphony::bench
