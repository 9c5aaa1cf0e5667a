// The shell's side of the keeper, and the memory of links.
#include <algorithm>
#include <array>
#include <csignal>

#include <unistd.h>

#include "bus/broker/core_place.hpp"
#include "bus/broker/shell.hpp"
#include "bus/memory/segment.hpp"
#include "bus/state/handover.hpp"
#include "bus/state/state_memory.hpp"

namespace symphony::detail::broker {
namespace {

constexpr TimeNs keeper_timeout_ns = 10 * second_ns;  // it does little that takes long; a silent keeper is a dead one

const char* name_of(Trust trust) {
  return trust == Trust::trusted ? "trusted" : trust == Trust::cooperative ? "cooperative" : "hostile";
}

}  // namespace

// The keeper's pass: begin, so many processes, so many records.
result<void> Shell::begin(TimeNs deadline_ns) {
  std::array<std::byte, keeper::datagram_size_max> buffer;
  Begin found;
  std::size_t processes = 0, records = 0;
  for (bool begun = false; !begun || found.processes.size() < processes || found.records.size() < records;) {
    auto packet = control::receive_packet(keeper_.get(), buffer, control::FdPolicy::accept);
    if (!packet) return unexpected(packet.error());
    if (!*packet) {
      if (auto more = control::wait_readable(keeper_.get(), deadline_ns); !more) return more;
      continue;
    }
    const auto message = keeper::parse({buffer.data(), (*packet)->size});
    if (!message)
      return unexpected(errc::internal, "broker: the keeper speaks another protocol: install both from one release");
    const auto key = message->header.key;
    if (message->header.kind == keeper::Kind::begin && message->payload.size() == sizeof(keeper::BeginInfo)) {
      keeper::BeginInfo info;
      std::copy_n(message->payload.data(), sizeof(info), reinterpret_cast<std::byte*>(&info));
      config_.generation = info.generation;
      processes = info.processes;
      records = info.records;
      begun = true;
    } else if (message->header.kind == keeper::Kind::process && (*packet)->fds.size() >= 2) {
      found.processes.push_back({keeper::pit_of(key), keeper::instance_of(key), message->header.value});
      Pit& pit = pits_[keeper::pit_of(key)];
      pit.peer.socket = control::ControlSocket(std::move((*packet)->fds[0]));
      pit.pidfd = std::move((*packet)->fds[1]);
      if ((*packet)->fds.size() > 2) pit.output = std::move((*packet)->fds[2]);
      pit.instance = keeper::instance_of(key);
      pit.pid = message->header.value;
    } else if (message->header.kind == keeper::Kind::record) {
      found.records.push_back({key, {message->payload.begin(), message->payload.end()}});
    } else {
      return unexpected(errc::internal, "broker: the keeper speaks another protocol: install both from one release");
    }
  }
  config_.letters_in_folders = read_letters(config_.pits);
  core_ = std::make_unique<BrokerCore>(config_);
  config_.letters_in_folders.clear();
  if (auto ok = watch(keeper_.get(), Tag::keeper, 0); !ok) return ok;
  if (auto ok = watch(wake_.get(), Tag::wake, 0); !ok) return ok;
  if (leave_) {
    if (auto ok = watch(leave_.get(), Tag::leave, 0); !ok) return ok;
  }
  for (auto& [index, pit] : pits_) {
    if (auto ok = watch(pit.peer.socket.fd(), Tag::pit, index); !ok) return ok;
  }
  if (listener_) {
    if (auto ok = watch(listener_.get(), Tag::listener, 0); !ok) return ok;
    listening_ = true;
  }
  std::vector<PitIndex> running;
  for (const auto& [index, pit] : pits_) running.push_back(index);
  feed(std::move(found));
  for (const PitIndex index : running) begin_output(index, 0);
  tell_keeper(keeper::datagram(keeper::Kind::serving, 0, 0));
  return {};
}

void Shell::read_keeper() {
  std::array<std::byte, keeper::datagram_size_max> buffer;
  while (keeper_) {
    auto packet = control::receive_packet(keeper_.get(), buffer, control::FdPolicy::accept);
    if (!packet) return lose_keeper();
    if (!*packet) return;
    const auto message = keeper::parse({buffer.data(), (*packet)->size});
    if (message) keeper_says(*message, std::move((*packet)->fds));
  }
}

void Shell::keeper_says(const keeper::Datagram& message, std::vector<UniqueFd> fds) {
  const auto pit = keeper::pit_of(message.header.key);
  const auto instance = keeper::instance_of(message.header.key);
  const std::int32_t value = message.header.value;
  switch (message.header.kind) {
    case keeper::Kind::spawned:
      if (fds.size() < 2) return lose_keeper();
      adopt_pit(pit, instance, value, std::move(fds));
      begin_output(pit, value);
      return feed(PitSpawned{pit, instance, value});
    case keeper::Kind::spawn_failed:
      return feed(SpawnFailed{pit, instance, value});
    case keeper::Kind::exited: {
      PitExited exited{pit, instance};
      const keeper::Exit exit = keeper::exit_of(value);
      exited.signalled = exit.signalled;
      exited.value = exit.value;
      exited.out_of_memory = exit.signalled && exit.value == SIGKILL && oom_kills_.one_more();
      // What it said before it died counts: Ready or Drained may be among it.
      if (const auto found = pits_.find(pit); found != pits_.end() && found->second.instance == instance) {
        read_pit(pit);
        exited.last_lines = end_output(pit, exit);
        if (exit.dumped) exited.core = core_place(found->second.pid, exit.value);
        drop_pit(pit);
      }
      return feed(std::move(exited));
    }
    case keeper::Kind::held:
      return hear_words(message.header.key, fds);
    case keeper::Kind::stop:
      return stop();
    default:
      return;
  }
}

void Shell::lose_keeper() {
  if (!keeper_) return;
  unwatch(keeper_.get());
  keeper_.reset();
  while (!pits_.empty()) drop_pit(pits_.begin()->first);
  feed(KeeperLost{});
}

// Waits for room, and does not queue (docs/decisions/0014-the-broker-waits-for-its-keeper.md): a record must be out of
// this process before the GO that follows it. The keeper never waits for the broker, so no cycle of waits exists.
void Shell::tell_keeper(std::span<const std::byte> bytes, std::span<const int> fds) {
  if (!keeper_) return;
  const TimeNs deadline = deadline_after(keeper_timeout_ns);
  for (;;) {
    const auto sent = control::send_packet(keeper_.get(), bytes, fds);
    if (sent) return;
    if (sent.error().code != errc::busy || !control::wait_writable(keeper_.get(), deadline)) return lose_keeper();
  }
}

void Shell::execute(const SpawnPit& a) {
  const PitConfig& config = core_->config_of(a.pit);
  keeper::SpawnRequest request;
  request.keep_stderr = !config_.log_folder.empty();
  const bool confined = config.sandbox.profile != SandboxProfile::none;
  request.own_namespaces = confined;
  request.clear_environment = config.trust == Trust::hostile || confined;
  request.executable = config.executable;
  request.args.push_back(config.executable);
  request.args.insert(request.args.end(), config.args.begin(), config.args.end());
  request.environment = config.environment;
  request.environment.push_back("SYMPHONY_CONTROL_FD=3");
  request.environment.push_back("SYMPHONY_PIT_NAME=" + core_->config_of(a.is_alone ? a.state_pit : a.pit).name);
  if (a.is_alone) request.environment.push_back("SYMPHONY_PIT_ALONE=1");
  request.environment.push_back("SYMPHONY_PIT_CONFIG=" + config.config);
  request.environment.push_back(std::string("SYMPHONY_PIT_TRUST=") + name_of(config.trust));
  request.environment.push_back("SYMPHONY_PIT_WAITING=" + std::string(name_of(config.waiting)));
  request.environment.push_back("SYMPHONY_PIT_PLACEMENT=" + std::string(name_of(config.placement)));
  if (confined) {
    request.environment.push_back("SYMPHONY_PIT_SANDBOX=" + std::string(symphony::name_of(config.sandbox.profile)) +
                                  ":" + std::to_string(config.sandbox.required));
  }
  if (const RestartPolicy& restart = config.restart; restart.exceptions_max != 0) {
    request.environment.push_back("SYMPHONY_PIT_EXCEPTIONS=" + std::to_string(restart.exceptions_max) + "," +
                                  std::to_string(restart.window_ns));
  }
  request.environment.push_back("SYMPHONY_PIT_INSTANCE=" + std::to_string(a.instance));
  if (config.state.durability != Durability::none || a.waits) {
    if (const auto ready = hand_over_state(a, config, request); !ready) {
      return feed(SpawnFailed{a.pit, a.instance, ready.error().sys_errno, ready.error().text});
    }
  }
  const auto bytes =
      keeper::datagram(keeper::Kind::spawn, keeper::process_key(a.pit, a.instance), 0, keeper::encode(request));
  tell_keeper(bytes);
}

void Shell::hold_state(PitIndex pit, std::uint32_t instance, const UniqueFd& memory) {
  const int fds[] = {memory.get()};
  tell_keeper(keeper::datagram(keeper::Kind::put, state_key(pit, instance), 0), fds);
}

// Gives the keeper the memory that the new process keeps its state in, and the process that of the one before.
result<void> Shell::hand_over_state(const SpawnPit& a, const PitConfig& config, keeper::SpawnRequest& request) {
  const StatePolicy& policy = config.state;
  if (policy.durability == Durability::none) {
    auto memory = create_state_memory(handed_state_geometry);
    if (!memory) return unexpected(memory.error());
    hold_state(a.pit, 0, *memory);
    handed_[a.pit] = {a.state_pit, *std::move(memory)};
    request.inherited.push_back({state_key(a.pit, 0), true});
    request.environment.push_back(std::string(state_variable) + "=" +
                                  write_handover({policy, -1, keeper::first_inherited_fd, true, false, false}));
    return {};
  }
  const bool is_file = !policy.folder.empty();
  bool has_old = a.state_instance != 0;
  if (is_file && !has_old) {
    const auto kept = open_state_file(policy.folder, config.name);
    if (!kept && kept.error().code != errc::not_found) return unexpected(kept.error());
    has_old = kept.has_value();
    if (has_old) hold_state(a.pit, 0, *kept);
  }
  const StateGeometry geometry{policy.snapshot_size_max, policy.journal_size};
  const auto own = is_file ? create_state_file(policy.folder, config.name, geometry) : create_state_memory(geometry);
  if (!own) return unexpected(own.error());
  hold_state(a.pit, a.instance, *own);
  const StateHandover handover{
      policy, keeper::first_inherited_fd, has_old ? keeper::first_inherited_fd + 1 : -1, a.waits, is_file, false};
  request.inherited.push_back({state_key(a.pit, a.instance), false});
  if (has_old) request.inherited.push_back({state_key(a.state_pit, a.state_instance), true});
  request.environment.push_back(std::string(state_variable) + "=" + write_handover(handover));
  return {};
}

void Shell::execute(const MakeCopy& a) {
  if (auto memory = create_state_memory(handed_state_geometry)) copies_[a.pit] = {a.of, *std::move(memory)};
}

void Shell::execute(const KeepState& a) {
  const PitConfig& config = core_->config_of(a.pit);
  if (config.state.folder.empty()) return;
  if (const auto kept = keep_state_file(config.state.folder, config.name); !kept) {
    feed(StateFailed{a.pit, a.instance, kept.error().text});
  }
}

void Shell::execute(const PutRecord& a) {
  const auto fds = numbers_of(a.fds, a.link, a.epoch, 0);
  tell_keeper(keeper::datagram(keeper::Kind::put, a.key, 0, a.blob), fds);
}

void Shell::execute(const DeleteRecord& a) {
  std::erase_if(handed_, [&](const auto& handed) { return a.key == state_key(handed.first, 0); });
  tell_keeper(keeper::datagram(keeper::Kind::remove, a.key, 0));
}

// ---- memory ----

void Shell::execute(const MakeSegments& a) {
  auto pair = create_segment_pair(caller_segment_size(a.request_capacity), pit_segment_size(a.reply_capacity), a.nonce);
  if (!pair) return feed(SegmentsFailed{a.link, a.epoch, pair.error().sys_errno});
  Segments& s = segments_[{a.link, a.epoch}];
  s.caller_rw = std::move(pair->caller);
  s.pit_rw = std::move(pair->pit);
  feed(SegmentsMade{a.link, a.epoch});
}

void Shell::execute(const SealSegments& a) {
  const auto found = segments_.find({a.link, a.epoch});
  if (found == segments_.end()) return;
  Segments& s = found->second;
  const auto fail = [&](const error& e) { feed(SegmentsFailed{a.link, a.epoch, e.sys_errno}); };
  for (const int fd : {s.caller_rw.get(), s.pit_rw.get()}) {
    if (const auto sealed = seal_segment(fd); !sealed) return fail(sealed.error());
  }
  auto caller = reopen_read_only(s.caller_rw.get());
  if (!caller) return fail(caller.error());
  auto pit = reopen_read_only(s.pit_rw.get());
  if (!pit) return fail(pit.error());
  s.caller_ro = *std::move(caller);
  s.pit_ro = *std::move(pit);
  feed(SegmentsSealed{a.link, a.epoch});
}

void Shell::execute(const ForgetSegments& a) { segments_.erase({a.link, a.epoch}); }

}  // namespace symphony::detail::broker
