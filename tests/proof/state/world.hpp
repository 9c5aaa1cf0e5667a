// Callers, links and the memory of one durable pit, with its process killed at any step.   Layer: tests.
//
// What survives a kill is copied where the kill falls, and put back when the step that it falls into is over: so code
// that may not throw is stopped anywhere. The pit is the real DurablePit, what callers do about a death is the real
// judge(). Threads: one.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "bus/endpoint/redelivery.hpp"
#include "pits/hosting/durable/durable_pit.hpp"
#include "tests/proof/state/ledger.hpp"

namespace symphony::proof {

struct Sent {
  std::uint64_t id = 0;
  Way way{};
  Effect effect = Effect::once;
  std::uint8_t attempt = 0;
};
struct Ending {
  std::int32_t status = 0;
  Receipt receipt;
};

struct Caller {
  std::uint64_t link = 0;
  std::uint64_t todo = 0;  // calls that it has not made yet
  std::uint64_t last_id = 0;
  std::map<std::uint64_t, Sent> waiting;  // by id
  std::map<std::uint64_t, std::uint64_t> position;
  std::map<std::uint64_t, Ending> ended;
  // The link's memory.
  std::vector<Sent> requests;
  std::vector<std::pair<std::uint64_t, Ending>> replies;
  std::uint64_t begun = 0, handled = 0;
  bool is_attached = false;
  // The next epoch's, while only the pit uses it: of no meaning if it dies before the caller does.
  std::vector<std::pair<std::uint64_t, Ending>> next_replies;
  bool is_forming = false;
  bool is_dead = false;
};

class World final : public pit::DurableOwner {
 public:
  struct Options {
    std::uint64_t seed = 1;
    Durability durability = Durability::journal;
    std::uint64_t calls = 6;  // of each caller
    std::size_t callers = 2;
    int kills = 6;
    std::uint64_t journal_size = 4096;
  };
  explicit World(const Options& options);
  ~World();

  // The first promise that was broken; empty: none.
  [[nodiscard]] std::string run();
  [[nodiscard]] int kills() const noexcept { return killed_; }
  [[nodiscard]] std::uint64_t replayed() const noexcept { return replayed_; }

 private:
  struct Shared {  // what a kill of the pit leaves
    std::vector<Caller> callers;
    std::map<std::uint64_t, std::uint64_t> ran;  // by link * 1000 + id: how often the handler began
    std::vector<std::byte> memory;
  };
  class Reply;

  [[nodiscard]] bool chance(double p) { return std::uniform_real_distribution<>(0, 1)(random_) < p; }
  void may_be_killed_here() noexcept;
  void start_pit(const std::vector<std::byte>* left);
  void after_step();
  void attach(Caller& caller);
  void caller_acts(Caller& caller);
  void pit_acts();
  Delivered put(Caller& caller, const pit::Owed& owed);
  void confirm(std::uint64_t link);
  void drain(Caller& caller);
  void end(Caller& caller, std::uint64_t id, const Ending& ending);
  void broken(const std::string& what);
  [[nodiscard]] bool is_over() const;
  void judge_the_end();
  Caller* caller_of(std::uint64_t link);

  Delivered deliver(const pit::Owed& ending) noexcept override;
  void post(const pit::OwnCall& call) noexcept override;

  const Options options_;
  std::mt19937_64 random_;
  std::vector<Caller> callers_;
  std::map<std::uint64_t, std::uint64_t> ran_;
  std::unique_ptr<pit::DurablePit> pit_;
  int own_fd_ = -1;
  std::optional<Shared> image_;    // where the pit was killed in the step that is under way
  std::vector<pit::Owed> queued_;  // endings that wait in the pit's process for room on their link
  std::map<std::uint64_t, std::vector<std::uint64_t>>
      unconfirmed_;                             // by link: on it, but its caller may not look there
  std::map<std::uint64_t, bool> is_confirmed_;  // by link: a request came on this epoch
  std::deque<pit::OwnCall> posted_;
  int killed_ = 0;
  bool may_kill_ = false;
  std::uint64_t replayed_ = 0;
  std::string broken_;
};

}  // namespace symphony::proof
