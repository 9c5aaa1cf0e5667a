// Whole sessions of a broker through its core: callers and pits say anything, the kernel what it can say.
//
// The kernel's answers belong to what the core asked for; which of them comes, and when, the input says, as it says
// when the broker dies and the next one goes on with what it left. Promised whatever anybody says: the core stays
// within its bounds, what it sends can be sent, what it keeps fits into its record, and the same session ends in the
// same state.
#include <deque>
#include <map>

#include "bus/broker/core.hpp"
#include "bus/control/codec.hpp"
#include "tests/fuzz/some_message.hpp"
#include "tests/fuzz/targets.hpp"

namespace symphony::fuzz {
namespace {

using namespace detail::broker;

constexpr std::size_t steps_max = 400;
constexpr std::size_t actions_per_step_max = 20'000;

std::vector<PitConfig> session_pits(Input& from) {
  std::vector<PitConfig> pits(1 + from.below(4));
  for (std::size_t i = 0; i < pits.size(); ++i) {
    PitConfig& pit = pits[i];
    const std::uint8_t how = from.byte();
    pit.name = "pit" + std::to_string(i);
    pit.executable = "/pit";
    pit.trust = static_cast<Trust>(how % 3);
    pit.start_at_once = (how & 4) == 0;
    if ((how & 8) != 0) pit.state.durability = (how & 16) != 0 ? Durability::journal : Durability::snapshot;
    if ((how & 32) != 0) pit.budgets.each_ns = 50 * ms_ns;
    if (i > 0 && (how & 64) != 0) pit.calls = {"pit0"};
    if (i > 0 && (how & 64) != 0) pit.restart.strategy = RestartStrategy::rest_for_one;
    if (i > 0 && (how & 128) != 0) pit.restart.fallback = "pit0";
    if (i == 0 && (how & 128) != 0) pit.callers = {"programs"};
  }
  return pits;
}

class Session {
 public:
  explicit Session(std::span<const std::uint8_t> input) : from_(input) {
    config_.pits = session_pits(from_);
    config_.owner = 1000;
    config_.may_reconnect = from_.flag();
    config_.daemon = 4711;
    config_.seed = 7;
    if (check_pits(config_.pits)) begin();
  }

  const char* run() {
    for (std::size_t i = 0; i < steps_max && core_ && !from_.empty() && wrong_ == nullptr && !is_over_; ++i) event();
    return wrong_;
  }
  [[nodiscard]] std::uint64_t hash() const { return core_ ? core_->state_hash() : 0; }

 private:
  void begin() {
    core_.emplace(config_);
    Begin begin;
    for (const auto& [who, pid] : alive_) begin.processes.push_back({who.first, who.second, pid});
    for (const auto& [key, blob] : records_) begin.records.push_back({key, blob});
    step(std::move(begin));
  }

  // The broker dies: the keeper holds processes and records; connections end, what was under way is not answered.
  void die() {
    ++config_.generation;
    conns_.clear();
    spawning_.clear(), making_.clear(), sealing_.clear(), keeping_.clear(), looking_.clear(), asked_.clear();
    armed_ = no_deadline_ns;
    begin();
  }

  void step(Event event) {
    core_->step(event, now_);
    std::size_t actions = 0;
    for (Action a; wrong_ == nullptr && core_->pop(a);) {
      if (++actions > actions_per_step_max) wrong_ = "one event, and actions without end";
      std::visit([this](const auto& one) { take(one); }, a);
    }
    if (core_->caller_count() > callers_max || core_->link_count() > links_max) wrong_ = "more than a named limit";
  }

  void check_sent(const Message& message) {
    if (!wire::encode(message)) wrong_ = "a message that cannot be sent";
  }
  void note(const Attachment& at) {
    if (seen_.size() >= 8) seen_.erase(seen_.begin());
    seen_.push_back(at);
  }

  // ---- what the core wants done
  void take(const SendToCaller& a) { check_sent(a.message); }
  void take(const SendToPit& a) { check_sent(a.message); }
  void take(const MakeSegments& a) {
    note({config_.generation, a.link, a.epoch});
    making_.push_back({a.link, a.epoch});
  }
  void take(const SealSegments& a) { sealing_.push_back({a.link, a.epoch}); }
  void take(const SpawnPit& a) { spawning_.push_back(a); }
  void take(const KeepState& a) { keeping_.push_back(a); }
  void take(const KillPit& a) {
    if (from_.flag() && alive_.contains({a.pit, a.instance})) dying_.push_back({a.pit, a.instance});
  }
  void take(const ConnectPit& a) { connecting_.push_back(a); }
  void take(const PutRecord& a) {
    if (a.blob.size() > record_size_max) wrong_ = "a record that the keeper refuses";
    records_[a.key] = a.blob;
  }
  void take(const DeleteRecord& a) { records_.erase(a.key); }
  void take(const DisconnectCaller& a) { std::erase(conns_, a.conn); }
  void take(const ArmTimer& a) { armed_ = a.at_ns; }
  void take(const Finished&) { is_over_ = true; }
  void take(const ReadConfig& a) { asked_.push_back(a); }
  void take(const KeepConfig& a) {
    config_.pits = a.slots;
    config_.probations = a.probations;
  }
  void take(const KeepLetters& a) { config_.letters = a.bytes; }
  void take(const LookAtPit& a) { looking_.push_back(a); }
  template <class T>
  void take(const T&) {}

  // ---- what happens next
  template <class T>
  std::optional<T> next(std::deque<T>& of) {
    if (of.empty()) return std::nullopt;
    T first = std::move(of.front());
    of.pop_front();
    return first;
  }
  std::optional<std::pair<PitIndex, std::uint32_t>> some_process() {
    const std::uint32_t which = from_.byte();
    if (alive_.empty()) return std::nullopt;
    return std::next(alive_.begin(), which % alive_.size())->first;
  }
  std::optional<ConnId> some_conn() {
    const std::uint32_t which = from_.byte();
    if (conns_.empty()) return std::nullopt;
    return conns_[which % conns_.size()];
  }
  Message message() { return MessageMaker{from_, now_, seen_}(); }

  void event() {
    now_ += from_.below(4) == 0 ? from_.number_as<std::uint16_t>() * ms_ns : 1;
    switch (from_.below(20)) {
      case 0:
        step(CallerConnected{++conn_, from_.below(8) == 0 ? 33U : 1000U});
        conns_.push_back(conn_);
        return;
      case 1:
        if (const auto conn = some_conn()) {
          std::erase(conns_, *conn);
          step(CallerLeft{*conn, from_.flag()});
        }
        return;
      case 2:
        if (const auto conn = some_conn()) step(CallerFaulted{*conn});
        return;
      case 3:
      case 4:
        // One that greets as it should, so that what follows is heard.
        if (const auto conn = some_conn()) step(CallerMessage{*conn, wire::Hello{1, 4, now_, {}}});
        return;
      case 5:
      case 6:
      case 7:
        if (const auto conn = some_conn()) step(CallerMessage{*conn, message()});
        return;
      case 8:
      case 9:
        if (const auto pit = some_process()) step(PitMessage{pit->first, pit->second, message()});
        return;
      case 10:
        if (const auto pit = some_process())
          step(PitMessage{pit->first, pit->second,
                          wire::PitReady{1, 4, now_, "p", "1", from_.number_as<std::uint32_t>(), from_.flag(), 0}});
        return;
      case 11:
        if (const auto pit = some_process()) {
          if (from_.flag()) {
            step(PitFaulted{pit->first, pit->second});
          } else {
            step(PitHungUp{pit->first, pit->second});
          }
        }
        return;
      case 12:
        if (const auto pit = next(dying_)) return exited(*pit);
        if (const auto pit = some_process()) exited(*pit);
        return;
      case 13:
      case 14:
        return kernel_answers();
      case 15:
        if (armed_ != no_deadline_ns) {
          now_ = now_ > armed_ ? now_ : armed_;
          armed_ = no_deadline_ns;
          step(TimerFired{});
        }
        return;
      case 16:
        return sides_agree();
      case 17:
        if (from_.below(4) == 0) die();
        return;
      case 18:
        return rare();
      default:
        if (const auto asked = next(asked_)) {
          ConfigRead read{asked->conn, asked->correlation, from_.below(4) == 0 ? "unreadable" : "", {}};
          read.pits = session_pits(from_);
          if (read.trouble.empty() && !check_pits(read.pits)) return;
          step(std::move(read));
        }
    }
  }

  void exited(std::pair<PitIndex, std::uint32_t> pit) {
    if (alive_.erase(pit) == 0) return;
    const bool signalled = from_.flag();
    constexpr int statuses[] = {0, 1, 75, 125, 9, 11, 31};
    step(PitExited{pit.first, pit.second, signalled, statuses[from_.below(7)], from_.text(), from_.below(8) == 0});
  }

  void kernel_answers() {
    const bool fails = from_.below(8) == 0;
    if (const auto spawn = next(spawning_)) {
      if (fails) return step(SpawnFailed{spawn->pit, spawn->instance, 12, from_.flag() ? "state" : ""});
      alive_[{spawn->pit, spawn->instance}] = ++pid_;
      return step(PitSpawned{spawn->pit, spawn->instance, pid_});
    }
    if (const auto made = next(making_)) {
      if (fails) return step(SegmentsFailed{made->first, made->second, 24});
      return step(SegmentsMade{made->first, made->second});
    }
    if (const auto sealed = next(sealing_)) {
      if (fails) return step(SegmentsFailed{sealed->first, sealed->second, 24});
      return step(SegmentsSealed{sealed->first, sealed->second});
    }
    if (const auto kept = next(keeping_)) {
      if (fails) step(StateFailed{kept->pit, kept->instance, "the disk is full"});
      return;
    }
    if (const auto look = next(looking_)) {
      PitSeen seen{look->pit, look->instance, fails, {}, from_.flag(), from_.number()};
      for (const auto& [link, epoch] : look->links) {
        if (!from_.flag()) continue;
        seen.executing.push_back({epoch, from_.number(), {link, from_.number(), 7, 8, from_.byte()}});
      }
      return step(std::move(seen));
    }
    if (const auto wanted = next(connecting_)) {
      step(CallerConnected{++conn_, 1000, wanted->pit});
      conns_.push_back(conn_);
    }
  }

  // What an honest caller and pit say of the attachment seen last, so that sessions get beyond it.
  void sides_agree() {
    const auto conn = some_conn();
    const auto pit = some_process();
    if (seen_.empty() || !conn || !pit) return;
    const Attachment at = seen_.back();
    const bool is_ready = from_.flag();
    step(CallerMessage{*conn, is_ready ? Message{wire::Ready{at, 0}} : Message{wire::Mapped{at}}});
    step(PitMessage{pit->first, pit->second, is_ready ? Message{wire::Ready{at, 1}} : Message{wire::Mapped{at}}});
  }

  void rare() {
    switch (from_.below(32)) {
      case 0:
        return step(KeeperLost{});
      case 1:
        return step(StopAll{});
      default:
        if (const auto pit = some_process()) step(LogLost{pit->first, from_.number()});
    }
  }

  Input from_;
  CoreConfig config_;
  std::optional<BrokerCore> core_;
  TimeNs now_ = second_ns;
  TimeNs armed_ = no_deadline_ns;
  const char* wrong_ = nullptr;
  bool is_over_ = false;
  ConnId conn_ = 0;
  pid_t pid_ = 100;
  std::vector<ConnId> conns_;
  std::vector<Attachment> seen_;
  std::map<std::pair<PitIndex, std::uint32_t>, pid_t> alive_;
  std::map<std::uint64_t, std::vector<std::byte>> records_;
  std::deque<std::pair<PitIndex, std::uint32_t>> dying_;
  std::deque<SpawnPit> spawning_;
  std::deque<std::pair<LinkId, Epoch>> making_, sealing_;
  std::deque<KeepState> keeping_;
  std::deque<LookAtPit> looking_;
  std::deque<ConnectPit> connecting_;
  std::deque<ReadConfig> asked_;
};

}  // namespace

const char* run_broker(std::span<const std::uint8_t> input) {
  Session one(input), other(input);
  if (const char* wrong = one.run()) return wrong;
  if (const char* wrong = other.run()) return wrong;
  return one.hash() == other.hash() ? nullptr : "the same session ended in another state";
}

}  // namespace symphony::fuzz
