// A pit's runtime in a process of its own, attached by the test instead of a broker: as many links as wanted.
// Layer: tests. Threads: the test's one thread; fork before starting any other.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <new>
#include <string_view>
#include <utility>
#include <vector>

#include <symphony/clock.hpp>
#include <symphony/service.hpp>

#include "bus/control/socket.hpp"
#include "bus/endpoint/attachment.hpp"
#include "bus/endpoint/link_core.hpp"
#include "bus/endpoint/service_core.hpp"
#include "bus/endpoint/waiting.hpp"
#include "bus/memory/segment.hpp"
#include "bus/wait/heavy_barrier.hpp"
#include "tests/unit/endpoint/epoch_fixture.hpp"

namespace symphony::detail {

// Answers each request with its own bytes.
struct Echo : RequestHandler {
  void on_request(const Request& request, ReplyWriter& reply) noexcept override {
    const auto bytes = reply.claim(static_cast<std::uint32_t>(request.body.size()));
    std::copy(request.body.begin(), request.body.end(), bytes.begin());
    reply.commit(static_cast<std::uint32_t>(request.body.size()), 2);
  }
};

// What LinkCore asks of the control side; here nobody answers.
struct QuietControl : LinkControl {
  QuietControl() : guard(ForkGuard::make().value()) {}
  void report_fault(const control::Attachment&, RingFault) noexcept override { ++faults; }
  void close_link(control::LinkId) noexcept override {}
  [[nodiscard]] const ForkGuard& fork_guard() const noexcept override { return guard; }
  ForkGuard guard;
  int faults = 0;
};

inline TimeNs cpu_ns(const rusage& used) {
  const auto ns = [](const timeval& t) { return static_cast<TimeNs>(t.tv_sec) * second_ns + t.tv_usec * us_ns; };
  return ns(used.ru_utime) + ns(used.ru_stime);
}

class ForkedService {
 public:
  // What the child leaves behind when it ends in order.
  struct Report {
    ServiceCounters counters;
    TimeNs cpu_ns = 0;
  };

  // `light`: also links whose sides sleep for each message publish with Order::light and make a heavy barrier; others
  // do where both sides offer it, as with a broker.
  explicit ForkedService(Waiting waiting = Waiting::adaptive, Placement placement = Placement::automatic,
                         bool light = false)
      : control_(std::make_shared<QuietControl>()), light_(light) {
    void* shared = ::mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    report_ = new (shared) Report;
    auto pair = control::make_socket_pair().value();
    EXPECT_TRUE(!light_ || register_for_heavy_barriers());
    child_ = ::fork();
    if (child_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      pair.first.reset();
      const ServiceOptions options{
          .name = "echo", .version = "1", .reply_size_max = 256, .waiting = waiting, .placement = placement};
      if (light_ && !register_for_heavy_barriers()) ::_exit(1);
      ::_exit(serve(std::move(pair.second), options, *report_));
    }
    pair.second.reset();
    socket_ = control::ControlSocket(std::move(pair.first));
    pit_offers_ = expect<control::PitReady>().heavy_barriers;
  }
  ForkedService(const ForkedService&) = delete;
  ForkedService& operator=(const ForkedService&) = delete;
  ~ForkedService() {
    if (child_ > 0) ::kill(child_, SIGKILL);
    if (child_ > 0) ::waitpid(child_, nullptr, 0);
    ::munmap(report_, sizeof(Report));
  }

  // Protocol A2 to A5 with one end in this process.
  [[nodiscard]] std::unique_ptr<Attached> attach(const LinkOptions& options, Trust trust) {
    constexpr std::uint32_t capacity = 4096;
    control::Own own;
    own.at = {1, ++links_, 1};
    own.request_capacity = own.reply_capacity = capacity;
    own.request_salt = own.reply_salt = static_cast<std::uint32_t>(links_ * 77);
    own.in_flight_max = 64;
    own.reply_size_max = largest_reply_in(capacity);
    own.heavy_barriers = light_ || (offer_heavy_barriers(options.waiting, options.placement) && pit_offers_);
    own.trust = static_cast<std::uint8_t>(trust);
    auto pair = create_segment_pair(caller_segment_size(capacity), pit_segment_size(capacity), links_).value();
    auto mine = map_own(own, pair.caller.duplicate(), Side::caller).value();
    say(own, pair.pit.get());
    (void)expect<control::Mapped>();
    seal_segment(pair.caller.get()).value();
    seal_segment(pair.pit.get()).value();
    say(control::Peer{own.at}, reopen_read_only(pair.caller.get()).value().get());
    map_peer(*mine, reopen_read_only(pair.pit.get()).value(), Side::caller).value();
    (void)expect<control::Ready>();
    return mine;
  }
  [[nodiscard]] std::unique_ptr<LinkCore> open(const LinkOptions& options, Trust trust = Trust::cooperative) {
    return std::make_unique<LinkCore>(control_, std::make_shared<LinkMailbox>(), attach(options, trust), options);
  }

  // Ends the child in order.
  Report stop() {
    say(control::Stop{}, -1);
    int status = 0;
    ::waitpid(std::exchange(child_, -1), &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
    return *report_;
  }
  [[nodiscard]] pid_t pid() const noexcept { return child_; }

 private:
  static int serve(UniqueFd socket, const ServiceOptions& options, Report& report) {
    auto core = ServiceCore::start(control::ControlSocket(std::move(socket)), options);
    if (!core) return 1;
    Echo echo;
    (*core)->run(echo);
    report.counters = (*core)->counters();
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    report.cpu_ns = cpu_ns(used);
    return 0;
  }
  void say(const control::Message& message, int fd) {
    const std::span<const int> fds(&fd, fd >= 0 ? 1 : 0);
    ASSERT_TRUE(socket_.wait_send(message, fds, deadline_after(60 * second_ns)));
  }
  template <class T>
  T expect() {
    const auto got = socket_.wait_receive(control::FdPolicy::refuse, deadline_after(60 * second_ns));
    EXPECT_TRUE(got && std::holds_alternative<T>(got->message));
    return got ? std::get<T>(got->message) : T{};
  }

  Report* report_ = nullptr;
  pid_t child_ = -1;
  control::ControlSocket socket_;
  std::shared_ptr<QuietControl> control_;
  std::uint64_t links_ = 0;
  bool light_;
  bool pit_offers_ = false;
};

}  // namespace symphony::detail
