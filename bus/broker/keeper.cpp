#include "bus/broker/keeper.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace symphony::detail::broker::keeper {
namespace {

constexpr int stderr_room = 256 * 1024;  // what a pit may write while no broker reads

// The same file, opened anew: what another has open for writing cannot be written through this.
UniqueFd read_only(const UniqueFd& fd) {
  const std::string path = "/proc/self/fd/" + std::to_string(fd.get());
  return UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

// The first process of a namespace cannot die of most signals: as a shell does, it ends with 128 and the number of the
// one that its pit died of.
std::int32_t passed_on(int status) {
  constexpr int shell_base = 128;
  const bool signalled = status > shell_base && status < shell_base + NSIG;
  return exit_value(signalled, signalled ? status - shell_base : status, false);
}

UniqueFd pidfd_of(pid_t pid) { return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

}  // namespace

void Keeper::attach_broker(UniqueFd socket, Generation generation) {
  detach_broker();
  broker_ = std::move(socket);
  const BeginInfo info{generation, static_cast<std::uint32_t>(processes_.size()),
                       static_cast<std::uint32_t>(records_.size())};
  tell(Kind::begin, 0, 0, std::as_bytes(std::span(&info, 1)));
  for (const auto& [key, held] : processes_) tell(Kind::process, key, held.process.pid, {}, &held);
  for (const auto& [key, record] : records_) tell(Kind::record, key, 0, record.blob);
  for (auto it = processes_.begin(); it != processes_.end();) {
    if (it->second.exited) tell(Kind::exited, it->first, it->second.status);
    it = it->second.exited ? processes_.erase(it) : std::next(it);
  }
}

void Keeper::detach_broker() noexcept {
  broker_.reset();
  broker_gone_ = broker_serves_ = broker_stops_ = false;
  out_.clear();
}

void Keeper::ask_to_stop() { tell(Kind::stop, 0, 0); }

void Keeper::append_to(std::vector<pollfd>& fds) const {
  const int wanted = POLLIN | (out_.empty() ? 0 : POLLOUT);
  fds.push_back({broker_.get(), static_cast<short>(wanted), 0});
  for (const auto& [key, held] : processes_) fds.push_back({held.exited ? -1 : held.process.pidfd.get(), POLLIN, 0});
}

bool Keeper::serve(std::span<const pollfd> fds) {
  // The deaths first: processes_ has not changed since append_to.
  std::vector<std::uint64_t> dead;
  std::size_t i = 1;
  for (const auto& [key, held] : processes_) {
    if (fds[i++].revents != 0) dead.push_back(key);
  }
  for (const std::uint64_t key : dead) reap(key, processes_.at(key));
  if (fds[0].revents != 0) {
    flush();
    read_broker();
  }
  return !broker_gone_;
}

void Keeper::read_broker() {
  constexpr int at_most = 64;  // then look at the other descriptors again
  for (int n = 0; n < at_most && !broker_gone_; ++n) {
    if (!read_one()) return;
  }
}

void Keeper::hear_the_end() {
  while (read_one()) {
  }
}

// False: nothing is there now, or nothing will come.
bool Keeper::read_one() {
  if (!broker_) return false;
  std::array<std::byte, datagram_size_max> buffer;
  auto packet = control::receive_packet(broker_.get(), buffer, control::FdPolicy::accept);
  if (!packet) {
    // A record that came without its descriptors is lost with them; everything else ends the connection.
    if (packet.error().code == errc::out_of_descriptors) return true;
    broker_gone_ = true;
    return false;
  }
  if (!*packet) return false;
  const auto message = parse({buffer.data(), (*packet)->size});
  if (message) obey(*message, std::move((*packet)->fds));
  return true;
}

void Keeper::obey(const Datagram& message, std::vector<UniqueFd> fds) {
  const std::uint64_t key = message.header.key;
  switch (message.header.kind) {
    case Kind::spawn:
      return spawn(key, message.payload);
    case Kind::put:
      if (message.payload.size() > record_size_max) return;
      if (records_.size() >= records_max && records_.count(key) == 0) return;
      records_[key] = Record{{message.payload.begin(), message.payload.end()}, std::move(fds)};
      return;
    case Kind::remove:
      records_.erase(key);
      return;
    case Kind::fetch:
      return tell_held(key);
    case Kind::serving:
      broker_serves_ = true;
      return;
    case Kind::stopping:
      broker_stops_ = true;
      return;
    default:
      return;  // not for a keeper
  }
}

void Keeper::spawn(std::uint64_t key, std::span<const std::byte> payload) {
  const auto request = decode_spawn(payload);
  if (!request) return tell(Kind::spawn_failed, key, E2BIG);
  if (processes_.size() >= processes_max || processes_.count(key) != 0) return tell(Kind::spawn_failed, key, EAGAIN);
  std::vector<UniqueFd> inherited;
  for (const SpawnRequest::Inherited& one : request->inherited) {
    const auto record = records_.find(one.key);
    const bool is_held = record != records_.end() && !record->second.fds.empty();
    UniqueFd fd = !is_held        ? UniqueFd()
                  : one.read_only ? read_only(record->second.fds[0])
                                  : record->second.fds[0].duplicate();
    if (!fd) return tell(Kind::spawn_failed, key, EMFILE);
    inherited.push_back(std::move(fd));
  }
  auto ends = control::make_socket_pair();
  if (!ends) return tell(Kind::spawn_failed, key, EMFILE);
  UniqueFd output, pit_output;
  if (request->keep_stderr) {
    int pipe_ends[2];
    if (::pipe2(pipe_ends, O_CLOEXEC) != 0) return tell(Kind::spawn_failed, key, EMFILE);
    output = UniqueFd(pipe_ends[0]);
    pit_output = UniqueFd(pipe_ends[1]);
    ::fcntl(output.get(), F_SETFL, O_NONBLOCK);
    ::fcntl(output.get(), F_SETPIPE_SZ, stderr_room);  // or as much as there is
  }
  auto process = start_process(*request, std::move(ends->second), inherited, pit_output.get());
  if (!process) return tell(Kind::spawn_failed, key, process.error().sys_errno);
  const pid_t pid = process->pid;
  Held& held = processes_[key] = Held{*std::move(process), std::move(ends->first), std::move(output)};
  tell(Kind::spawned, key, pid, {}, &held);
}

// What the pit started and did not leave its group. While it is not reaped, its number is nobody else's.
void Keeper::kill_group(const Held& held) noexcept { ::kill(-held.process.pid, SIGKILL); }

void Keeper::reap(std::uint64_t key, Held& held) {
  siginfo_t info{};
  const auto pidfd = static_cast<id_t>(held.process.pidfd.get());
  const bool seen = ::waitid(P_PIDFD, pidfd, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
  if (seen ? info.si_pid == 0 : errno != ECHILD) return;
  if (seen) kill_group(held);
  const bool waited = seen && ::waitid(P_PIDFD, pidfd, &info, WEXITED) == 0;
  held.exited = true;
  // Without a status (somebody else took it) it died of we do not know what: as a crash.
  held.status = !waited                       ? exit_value(true, SIGKILL, false)
                : info.si_code != CLD_EXITED  ? exit_value(true, info.si_status, info.si_code == CLD_DUMPED)
                : held.process.passes_signals ? passed_on(info.si_status)
                                              : exit_value(false, info.si_status, false);
  if (!broker_) return;  // the next one is told
  tell(Kind::exited, key, held.status);
  processes_.erase(key);
}

void Keeper::tell(Kind kind, std::uint64_t key, std::int32_t value, std::span<const std::byte> payload,
                  const Held* with) {
  if (!broker_) return;
  Outgoing out{datagram(kind, key, value, payload), {}};
  if (with != nullptr) {
    out.fds.push_back(with->socket.duplicate());
    out.fds.push_back(with->process.pidfd.duplicate());
    if (with->output) out.fds.push_back(with->output.duplicate());
    if (!out.fds[0] || !out.fds[1] || !out.fds.back())
      broker_gone_ = true;  // it could not serve this pit: better a new one
  }
  out_.push_back(std::move(out));
  flush();
}

// One that cannot be copied is as good as not held: who asked does without it.
void Keeper::tell_held(std::uint64_t key) {
  Outgoing out{datagram(Kind::held, key, 0), {}};
  if (const auto record = records_.find(key); record != records_.end()) {
    for (const UniqueFd& fd : record->second.fds) out.fds.push_back(fd.duplicate());
    if (std::any_of(out.fds.begin(), out.fds.end(), [](const UniqueFd& fd) { return !fd; })) out.fds.clear();
  }
  out_.push_back(std::move(out));
  flush();
}

void Keeper::flush() {
  while (!out_.empty() && broker_ && !broker_gone_) {
    std::vector<int> fds;
    for (const UniqueFd& fd : out_.front().fds) fds.push_back(fd.get());
    const auto sent = control::send_packet(broker_.get(), out_.front().bytes, fds);
    if (!sent && sent.error().code == errc::busy) return;
    if (!sent) broker_gone_ = true;
    out_.pop_front();
  }
}

void Keeper::forget_all() noexcept {
  detach_broker();
  processes_.clear();
  records_.clear();
}

void Keeper::kill_all() noexcept {
  for (auto& [key, held] : processes_) {
    if (!held.exited) ::syscall(SYS_pidfd_send_signal, held.process.pidfd.get(), SIGKILL, nullptr, 0);
  }
  for (auto& [key, held] : processes_) {
    siginfo_t info{};
    const auto wait = [&info, pidfd = static_cast<id_t>(held.process.pidfd.get())](int how) {
      while (::waitid(P_PIDFD, pidfd, &info, how) != 0 && errno == EINTR) {
      }
    };
    if (held.exited) continue;
    wait(WEXITED | WNOWAIT);
    kill_group(held);
    wait(WEXITED);
  }
  processes_.clear();
}

void raise_descriptor_limit() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

Generation first_generation() noexcept {
  constexpr TimeNs tick_ns = second_ns / 64;  // 32 bits of them: two years
  const TimeNs tick = now_ns() / tick_ns + 1;
  for (TimeNs left = tick * tick_ns - now_ns(); left > 0; left = tick * tick_ns - now_ns()) {
    const timespec rest{0, left};
    ::nanosleep(&rest, nullptr);  // allowed: it is the time itself that is waited for
  }
  return static_cast<Generation>(tick);
}

int run_for_application(UniqueFd broker, pid_t application) {
  const UniqueFd pidfd = pidfd_of(application);
  if (!pidfd || ::getppid() != application) return 0;  // it is gone already
  raise_descriptor_limit();
  Keeper keeper;
  keeper.attach_broker(std::move(broker), first_generation());
  std::vector<pollfd> fds;
  for (;;) {
    fds.assign(1, pollfd{pidfd.get(), POLLIN, 0});
    keeper.append_to(fds);
    if (::poll(fds.data(), fds.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return 71;
    }
    // The pidfd, not only the socket: a child forked by the application may hold the socket open.
    if (fds[0].revents != 0) return 0;
    if (!keeper.serve(std::span(fds).subspan(1))) return 0;
  }
}

}  // namespace symphony::detail::broker::keeper
