// A link that judges each reply against the note, and bodies that the pit is known to accept.   Layer: tools/pit_check.
// Threads: one a caller.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/pit_check/bodies.hpp"
#include "tools/pit_check/stage.hpp"
#include "tools/pit_check/trial.hpp"

namespace symphony::pit_check {

inline constexpr TimeNs call_timeout_ns = 5 * second_ns;
// A case that begins at fed time begins here.
inline constexpr TimeNs fed_start_ns = 1'000 * second_ns;

// One ending, kept.
struct Ending {
  std::int32_t status = 0;
  std::uint32_t type = 0;
  Body body{};
  std::string text{};
  friend bool operator==(const Ending&, const Ending&) = default;
  [[nodiscard]] std::string described() const;
};

// Why no request may end so, whatever it was; nothing when it may. The note's limits and the contract's rules.
[[nodiscard]] std::optional<std::string> fault_of(const pit::PitInfo& note, const pit::Reply& reply);

class Caller {
 public:
  // Fails the trial when there is no link.
  Caller(Trial& trial, pit::Host& host);
  // Fails the trial when the ending breaks a rule.
  Ending call(std::uint32_t type, std::span<const std::byte> body, TimeNs timeout_ns = call_timeout_ns);
  [[nodiscard]] pit::Link& link() noexcept { return *link_; }

 private:
  Trial& trial_;
  std::unique_ptr<pit::Link> link_;
};

struct Message {
  std::uint32_t type = 0;
  Body body;
};

// For each message type of the note, bodies that the pit took: found by trying, on a pit of their own. Where none was
// taken, some that are shaped like messages.
class Corpus {
 public:
  explicit Corpus(Trial& trial);
  // Every message, in order of types.
  [[nodiscard]] const std::vector<Message>& all() const noexcept { return all_; }
  [[nodiscard]] const Message& any(Random& random) const { return all_[below(random, all_.size())]; }
  // How many of the types had a body that the pit took.
  [[nodiscard]] std::size_t types_taken() const noexcept { return types_taken_; }

 private:
  std::vector<Message> all_;
  std::size_t types_taken_ = 0;
};

// A type that the note does not list.
[[nodiscard]] std::uint32_t unlisted_type(Trial& trial);

// A mounted pit. Fails the trial when there is none.
[[nodiscard]] std::unique_ptr<Mounted> mount(Trial& trial, pit::LogSink* log = nullptr);
// The same at fed time, with a fed seed: two of them are in the same state.
[[nodiscard]] std::unique_ptr<Mounted> mount_fed(Trial& trial);

// Fails the trial unless the pit still takes calls and ends them.
void require_usable(Trial& trial, pit::Host& host, std::string_view after);

// Sends `count` messages of the corpus and returns their endings.
std::vector<Ending> work(Trial& trial, Random& random, const Corpus& corpus, pit::Host& host, int count);

[[nodiscard]] pit::Snapshot snapshot_of(pit::Host& host, std::string_view when);
// The pit's own bytes, the revision and the timers' numbers: what must be equal. How long timers have left follows the
// clock, and is compared where the clock is fed.
[[nodiscard]] bool same_state(const pit::Snapshot& a, const pit::Snapshot& b);

}  // namespace symphony::pit_check
