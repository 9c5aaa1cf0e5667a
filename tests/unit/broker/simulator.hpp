// A whole world round the broker's core, without processes: callers, pits, a keeper and the messages under way between
// them. One seed decides every order of delivery. Any party can be killed between any two deliveries.
//
// The callers follow the protocol as bus/endpoint does: what has no Go is forgotten when the broker is gone, live links
// are listed in the next Hello, the others opened again. A pit remembers what it has mapped, so that leaks on its side
// show. For tests of the core; violations are collected as text.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "bus/broker/core.hpp"

namespace symphony::detail::broker {

enum class Victim { none, pit, caller, broker, connection };

class Simulator {
 public:
  struct Options {
    std::uint64_t seed = 1;
    std::size_t pits = 2, callers = 2, links_each = 2;
    bool by_path = true;
    std::size_t commands = 0;  // of operators, in run_random: the last caller asks for them
  };
  explicit Simulator(const Options& options);

  // Delivers until nothing is under way and no timer is left; before delivery number `at`, `victim` dies. The number of
  // deliveries.
  std::size_t run(Victim victim, std::size_t at);
  // As run, with up to `faults` deaths at random.
  std::size_t run_random(std::size_t faults);
  // Callers close everything that is open; runs on.
  void close_all();

  // What must hold: after run(), and after close_all().
  [[nodiscard]] std::vector<std::string> check_settled() const;
  [[nodiscard]] std::vector<std::string> check_closed() const;
  [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }
  [[nodiscard]] std::uint64_t hash() const { return hash_; }

 private:
  static constexpr std::size_t deliveries_max = 20'000;

  struct Wish {  // one link a caller wants: its opening, then the link
    PitIndex pit = 0;
    std::uint64_t correlation = 0;
    LinkId link = 0;
    Epoch epoch = 0;       // last live one
    Attachment forming{};  // epoch 0: none
    PitIndex forming_pit = 0;
    std::uint32_t instance = 0;
    bool live = false;
    bool ended = false;
    std::size_t answers = 0;
  };
  struct ToCaller {
    Message message;
    std::uint32_t instance = 0;  // of the pidfd in a Peer
    bool hang_up = false;
  };
  struct Caller {
    ConnId conn = 0;
    bool alive = true;
    bool greeted = false;
    std::uint64_t next_correlation = 1;
    std::vector<Wish> wishes;
    std::deque<Event> to_broker;
    std::deque<ToCaller> from_broker;
    std::deque<std::pair<PitIndex, std::uint32_t>> deaths;  // pidfds that became readable
    std::map<std::uint64_t, std::size_t> answers;           // to each command of this connection
  };
  struct Process {
    PitIndex pit = 0;
    std::uint32_t instance = 0;
    bool alive = true;
    std::deque<Message> to_broker, from_broker;
    std::map<LinkId, Attachment> attached;
  };

  void start_broker();
  void connect(Caller& caller);
  void open_missing(Caller& caller);
  void feed(const Event& event);
  void execute(const Action& action);
  bool deliver_one();
  void deliver_to_caller(Caller& caller);
  void deliver_to_pit(Process& process);
  void kill(Victim victim);
  void command();
  void pit_dies(Process& process, bool signalled, int value);
  void violation(std::string text);
  [[nodiscard]] Caller* caller_of(ConnId conn);
  [[nodiscard]] Process* process_of(PitIndex pit, std::uint32_t instance);
  std::size_t pick(std::size_t count) { return std::uniform_int_distribution<std::size_t>(0, count - 1)(random_); }

  Options options_;
  std::mt19937_64 random_;
  Generation generation_ = 0;
  std::unique_ptr<BrokerCore> core_;
  std::vector<Caller> callers_;
  std::vector<Process> processes_;
  std::deque<Event> from_keeper_, local_;
  std::map<std::uint64_t, std::vector<std::byte>> records_;
  std::set<std::pair<LinkId, Epoch>> segments_, sealed_;
  ConnId next_conn_ = 1;
  TimeNs now_ns_ = second_ns;
  TimeNs armed_ns_ = no_deadline_ns;
  std::size_t delivered_ = 0;
  std::uint64_t hash_ = 0;
  std::vector<std::string> violations_;
};

}  // namespace symphony::detail::broker
