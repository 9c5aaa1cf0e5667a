#include "bench/support/yardstick.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <system_error>
#include <vector>

#include <symphony/clock.hpp>
#include <symphony/unique_fd.hpp>

#include "bench/support/pinning.hpp"
#include "bench/support/yardstick_protocol.hpp"
#include "bus/memory/mapping.hpp"

namespace symphony::bench {
namespace {

using namespace yardstick;

constexpr TimeNs answer_timeout_ns = 30 * second_ns;
constexpr int descriptor_min = 10;  // of those handed over: above the numbers that the helper finds them at
constexpr std::uint64_t warm_up_batches = 2;

result<UniqueFd> out_of_the_way(int made) {
  const UniqueFd fd(made);
  UniqueFd moved(fd ? ::fcntl(fd.get(), F_DUPFD_CLOEXEC, descriptor_min) : -1);
  if (!moved) return unexpected(errc::out_of_descriptors, "Yardsticks: no descriptors left; raise the limit", errno);
  return moved;
}

result<UniqueFd> make_memory() {
  auto fd = out_of_the_way(::memfd_create("symphony-yardstick", MFD_CLOEXEC));
  if (!fd) return fd;
  if (const int why = ::posix_fallocate(fd->get(), 0, static_cast<off_t>(memory_size)); why != 0) {
    return unexpected(errc::out_of_memory, "Yardsticks: no shared memory; free about 1 MiB", why);
  }
  return fd;
}

result<std::filesystem::path> find_program(const std::filesystem::path& named) {
  std::error_code failed;
  const auto program =
      !named.empty() ? named
                     : std::filesystem::read_symlink("/proc/self/exe", failed).parent_path() / "symphony-yardstick";
  if (failed || ::access(program.c_str(), X_OK) != 0) {
    return unexpected(errc::not_found,
                      "Yardsticks: symphony-yardstick is not beside this program; build the target of that name");
  }
  return program;
}

// What a child inherits: nothing but these two, /dev/null and stderr; no blocked signals.
result<pid_t> spawn(const std::filesystem::path& program, int socket, int memory) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDWR, 0);
  ::posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, socket, socket_fd);
  ::posix_spawn_file_actions_adddup2(&actions, memory, memory_fd);
  ::posix_spawn_file_actions_addclosefrom_np(&actions, memory_fd + 1);
  sigset_t none;
  sigset_t all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::string name = program.string();
  std::string parent = std::to_string(::getpid());
  char* const arguments[] = {name.data(), parent.data(), nullptr};
  pid_t pid = -1;
  const int why = ::posix_spawn(&pid, name.c_str(), &actions, &attributes, arguments, environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (why != 0) return unexpected(errc::system, "Yardsticks: the helper process could not be started", why);
  return pid;
}

double median(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

error helper_lost() { return {errc::closed, 0, "Yardsticks: the helper died or does not answer; start another"}; }

}  // namespace

struct Yardsticks::Helper {
  pid_t pid = -1;
  const pid_t owner = ::getpid();
  UniqueFd socket;
  detail::Mapping memory;
  std::optional<CpuPair> cpus;
  std::uint64_t next = 1;  // number of the next round trip, over all kinds
  bool lost = false;

  ~Helper() {
    if (pid < 0 || ::getpid() != owner) return;  // a forked child's copy ends nothing
    // SIGKILL ends a stopped process as well, so the wait for it is short. The number is ours until then.
    ::kill(pid, SIGKILL);
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  }

  // One round trip of a kind; false: the helper is lost.
  bool round_trip(Task task, std::uint64_t number) {
    const TimeNs* const until = &deadline_ns;
    const auto give_up = [fd = socket.get(), until] { return is_gone(fd) || now_ns() >= *until; };
    switch (task) {
      case Task::line:
        return Line(caller_lines(memory.data()), helper_lines(memory.data()), lines_bytes).round_trip(number, give_up);
      case Task::uds: {
        Packet packet;
        packet.fill(number);
        return send_packet(socket.get(), packet) &&
               yardstick::receive(socket.get(), std::as_writable_bytes(std::span(packet))) == sizeof packet &&
               packet.back() == number;
      }
      case Task::futex: {
        FutexWords& words = futex_words(memory.data());
        set_word(words.request, static_cast<std::uint32_t>(number));
        return wait_word(words.reply, static_cast<std::uint32_t>(number), give_up);
      }
    }
    return false;
  }

  // One batch of a kind; its mean, or each time into `stamped`.
  template <class Timed>
  bool batch(Task task, Timed&& timed) {
    deadline_ns = deadline_after(answer_timeout_ns);
    return timed([&] { return round_trip(task, next++); });
  }
  bool timed_batch(Task task, double& mean_ns) {
    return batch(task, [&](auto&& trip) {
      const TimeNs start = now_ns();
      for (std::uint64_t i = 0; i < yardstick_batch; ++i) {
        if (!trip()) return false;
      }
      mean_ns = static_cast<double>(now_ns() - start) / static_cast<double>(yardstick_batch);
      return true;
    });
  }
  bool stamped_batch(Task task, Histogram& into) {
    return batch(task, [&](auto&& trip) {
      for (std::uint64_t i = 0; i < yardstick_batch; ++i) {
        const TimeNs start = now_ns();
        if (!trip()) return false;
        into.record(static_cast<std::uint64_t>(now_ns() - start));
      }
      return true;
    });
  }

  bool send_order(Task task, std::uint64_t batches) {
    const Order order{task, 0, next, batches * yardstick_batch};
    ssize_t sent = 0;
    do {
      sent = ::send(socket.get(), &order, sizeof order, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent == static_cast<ssize_t>(sizeof order);
  }

  bool warm_up(Task task) {
    double ignored = 0;
    for (std::uint64_t i = 0; i < warm_up_batches; ++i) {
      if (!timed_batch(task, ignored)) return false;
    }
    return true;
  }

  // Gives the helper `pairs` pairs of batches to answer, then calls turn(i) for each pair.
  template <class Turn>
  result<void> run(Task task, std::uint64_t pairs, Turn&& turn) {
    if (lost) return unexpected(helper_lost());
    const Pinned pinned(cpus ? std::optional(cpus->caller) : std::nullopt);
    lost = !send_order(task, warm_up_batches + 2 * pairs) || !warm_up(task);
    for (std::uint64_t i = 0; i < pairs && !lost; ++i) lost = !turn();
    if (lost) return unexpected(helper_lost());
    is_pinned = pinned.holds();
    return {};
  }

  result<Samples> measure(Task task, std::uint64_t n) {
    const auto pairs = pairs_of(n);
    if (!pairs) return unexpected(pairs.error());
    Samples samples;
    std::vector<double> means;
    means.reserve(*pairs);
    const auto done = run(
        task, *pairs, [&] { return timed_batch(task, means.emplace_back()) && stamped_batch(task, samples.stamped); });
    if (!done) return unexpected(done.error());
    samples.p50_ns = static_cast<double>(samples.stamped.percentile_ns(50));
    samples.p99_ns = static_cast<double>(samples.stamped.percentile_ns(99));
    samples.batch_p50_ns = median(means);
    samples.n = *pairs * yardstick_batch;
    samples.pinned = is_pinned;
    return samples;
  }

  static result<std::uint64_t> pairs_of(std::uint64_t n) {
    if (n == 0 || n > yardstick_count_max) {
      return unexpected(errc::invalid_argument, "Yardsticks: ask for 1 to yardstick_count_max round trips");
    }
    return (n + yardstick_batch - 1) / yardstick_batch;
  }

  TimeNs deadline_ns = 0;  // of the batch that runs
  bool is_pinned = false;
};

Yardsticks::Yardsticks(std::unique_ptr<Helper> helper) noexcept : helper_(std::move(helper)) {}
Yardsticks::Yardsticks(Yardsticks&&) noexcept = default;
Yardsticks& Yardsticks::operator=(Yardsticks&&) noexcept = default;
Yardsticks::~Yardsticks() = default;

result<Yardsticks> Yardsticks::start(const YardstickOptions& options) {
  const auto program = find_program(options.program);
  if (!program) return unexpected(program.error());
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return unexpected(errc::out_of_descriptors, "Yardsticks: no descriptors left; raise the limit", errno);
  }
  auto helper = std::make_unique<Helper>();
  helper->socket.reset(ends[0]);
  const auto theirs = out_of_the_way(ends[1]);
  if (!theirs) return unexpected(theirs.error());
  const auto memory = make_memory();
  if (!memory) return unexpected(memory.error());
  auto mapped = detail::Mapping::map(memory->get(), memory_size, detail::Access::read_write);
  if (!mapped) return unexpected(mapped.error());
  helper->memory = *std::move(mapped);
  const timeval patience{answer_timeout_ns / second_ns, 0};
  ::setsockopt(helper->socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const auto pid = spawn(*program, theirs->get(), memory->get());
  if (!pid) return unexpected(pid.error());
  helper->pid = *pid;
  if (options.pin) helper->cpus = pin_apart(*pid, options.helper_cpu);
  return Yardsticks(std::move(helper));
}

result<Samples> Yardsticks::measure_line(std::uint64_t n) { return helper_->measure(Task::line, n); }
result<Samples> Yardsticks::measure_uds(std::uint64_t n) { return helper_->measure(Task::uds, n); }
result<Samples> Yardsticks::measure_futex(std::uint64_t n) { return helper_->measure(Task::futex, n); }

result<SelfCheck> Yardsticks::check_line(std::uint64_t n) {
  const auto pairs = Helper::pairs_of(n);
  if (!pairs) return unexpected(pairs.error());
  std::vector<double> first;
  std::vector<double> second;
  first.reserve(*pairs);
  second.reserve(*pairs);
  const auto done = helper_->run(Task::line, *pairs, [&] {
    return helper_->timed_batch(Task::line, first.emplace_back()) &&
           helper_->timed_batch(Task::line, second.emplace_back());
  });
  if (!done) return unexpected(done.error());
  return SelfCheck{median(first) / median(second), *pairs * yardstick_batch};
}

pid_t Yardsticks::helper_pid() const noexcept { return helper_->pid; }

}  // namespace symphony::bench
