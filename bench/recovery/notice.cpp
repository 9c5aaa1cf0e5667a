#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <thread>

#include "bench/recovery/parts.hpp"
#include "bench/recovery/party.hpp"

namespace symphony::bench::recovery {
namespace {

struct Told {
  double kill_to_flag_us = 0;      // SIGKILL to the flag
  double readable_to_flag_us = 0;  // pidfd readable to the flag
};

// What an endpoint's thread does, without an endpoint: waits in epoll for a pidfd, sets a flag.
class BareWatcher {
 public:
  BareWatcher() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), thread_([this] { run(); }) {}
  ~BareWatcher() { thread_.join(); }
  void watch(int pidfd) noexcept {
    flag_ = false;
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = pidfd;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, pidfd, &event);
  }
  [[nodiscard]] bool flag() const noexcept { return flag_.load(std::memory_order_acquire); }
  void end_with(int pidfd) noexcept { last_ = true, watch(pidfd); }

 private:
  void run() noexcept {
    do {
      epoll_event event{};
      if (::epoll_wait(epoll_.get(), &event, 1, -1) != 1) continue;
      ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, event.data.fd, nullptr);
      flag_.store(true, std::memory_order_release);
    } while (!last_);
  }
  UniqueFd epoll_;
  std::atomic<bool> flag_{false}, last_{false};
  std::thread thread_;
};

// Kills, and looks by turns whether the pidfd is readable and whether the flag is set; both kinds look as often.
template <class Flag>
Told kill_and_look(const UniqueFd& pidfd, Flag&& is_told) {
  const TimeNs kill = now_ns(), deadline = kill + patience_ns;
  kill_by(pidfd);
  TimeNs readable = 0;
  for (;;) {
    if (readable == 0 && is_readable(pidfd.get(), 0)) readable = now_ns();
    const bool told = is_told();
    const TimeNs now = now_ns();
    // Told before it was seen readable: within one look.
    if (told)
      return {static_cast<double>(now - kill) * 1e-3, static_cast<double>(readable == 0 ? 0 : now - readable) * 1e-3};
    if (now > deadline) give_up("notice", "nobody is told of a death");
  }
}

struct Holder {
  pid_t pid = 0;
  UniqueFd pidfd;
  explicit Holder(unsigned mib) {
    int ends[2];
    if (::pipe2(ends, 0) != 0) give_up("pipe", "no descriptors left");  // allowed: the child inherits it
    const UniqueFd reader(ends[0]);
    UniqueFd writer(ends[1]);
    pid = run_self({"holder", std::to_string(mib), std::to_string(ends[1])});
    pidfd = pidfd_of(pid);
    writer.reset();
    char said = 0;
    if (::read(reader.get(), &said, 1) != 1) give_up("holder", "it died");
  }
  ~Holder() {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;
};

void of_size(unsigned mib, std::size_t deaths) {
  const TimeNs begun = now_ns();
  Party party(mib, false);
  Link link = party.open();
  std::vector<double> bare_kill, bare_flag, kill, flag;
  const auto add = [](const Told& told, std::vector<double>& to_kill, std::vector<double>& to_flag) {
    to_kill.push_back(told.kill_to_flag_us * 1e-3);
    to_flag.push_back(told.readable_to_flag_us);
  };
  {
    BareWatcher watcher;
    for (std::size_t i = 0; i < deaths; ++i) {
      if (!link.call(1, {}, {.timeout_ns = patience_ns, .effect = Effect::idempotent}).ok()) give_up("call", "failed");
      while (link.wait_any(0)) {
      }
      {
        const Holder holder(mib);
        watcher.watch(holder.pidfd.get());
        // The link is looked at as well, so that each look takes as long as below.
        add(kill_and_look(holder.pidfd, [&] { return (void)link.wait_any(0), watcher.flag(); }), bare_kill, bare_flag);
      }
      const PitInfo pit = party.pit();
      while (link.wait_any(0)) {
      }
      const UniqueFd pidfd = pidfd_of(pit.pid);
      add(kill_and_look(pidfd, [&] { return link.wait_any(0) || watcher.flag() != true; }), kill, flag);
    }
    const Holder last(1);
    watcher.end_with(last.pidfd.get());
    (void)kill_and_look(last.pidfd,
                        [&] { return watcher.flag(); });  // it has looked up before this one's end closes it
  }
  const double ratio = quantile(flag, 0.5) / quantile(bare_flag, 0.5);
  std::printf(
      "death told, %3u MiB: SIGKILL to flag p50 %.3f ms, p99 %.3f ms (bare %.3f, %.3f); pidfd readable to flag "
      "p50 %.1f us, p99 %.1f us (bare %.1f, %.1f): ratio %.2f\n",
      mib, quantile(kill, 0.5), quantile(kill, 0.99), quantile(bare_kill, 0.5), quantile(bare_kill, 0.99),
      quantile(flag, 0.5), quantile(flag, 0.99), quantile(bare_flag, 0.5), quantile(bare_flag, 0.99), ratio);
  const std::string size = "." + std::to_string(mib);
  // Where most of the bare flags were there at the first look, there is nothing to be over.
  if (quantile(bare_flag, 0.5) > 0) {
    write("bus.death_notice_ratio" + size, ratio, "ratio", flag.size(), begun,
          "pidfd readable to the caller's flag, over a bare pidfd and epoll; medians, in turns; MiB touched; target 3");
  } else {
    std::printf("no ratio: half of the bare flags were there when the pidfd was first looked at\n");
  }
  write("bus.death_notice_ms_p50" + size, quantile(kill, 0.5), "ms", kill.size(), begun,
        "SIGKILL to the caller's flag");
  write("bus.death_notice_ms_p99" + size, quantile(kill, 0.99), "ms", kill.size(), begun,
        "SIGKILL to the caller's flag");
}

}  // namespace

int be_holder(unsigned mib) {
  const std::size_t size = std::size_t{mib} << 20;
  void* const at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  return at == MAP_FAILED ? 1 : 0;
}

void measure_notice(std::size_t deaths) {
  for (const unsigned mib : {1u, 16u, 256u}) of_size(mib, deaths);
}

}  // namespace symphony::bench::recovery
