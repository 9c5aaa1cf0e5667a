// One instance of a pit and everything that all modes share about running one: its copied table, the state machine, the
// host's functions, and the rule that each request has exactly one ending.   Layer: hosting (contract, bus/base).
// Invariants:
//   I1  the pit is entered once at a time, and only where the state machine allows it
//   I2  each handle() makes exactly one call of commit() or fail() on its ReplySink, after the pit has returned
//   I3  a step that fails is not taken: the state stays
// Threads: one at a time; whoever runs the instance sees to it (Executor, or a process with one thread).
// Trust:   native pits run in this process and could do anything; the checks here are against mistakes.
#pragma once

#include <symphony/pit.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pits/hosting/host.hpp"

namespace symphony::pit {

inline constexpr std::size_t snapshot_size_max = std::size_t{1} << 30;
inline constexpr std::uint32_t snapshot_read_size_max = 65'536;

// Where a reply goes: a caller's buffer, or a ring.
class ReplySink {
 public:
  // At least size_min bytes, 8-byte aligned, into out. A later claim replaces this one. False: there is no room.
  [[nodiscard]] virtual bool claim(std::uint32_t size_min, std::span<std::byte>& out) noexcept = 0;
  // The first `used` bytes of the last claim are the reply; (0, 0), also without a claim, is an empty one.
  virtual void commit(std::uint32_t used, std::uint32_t type) noexcept = 0;
  // The request ends as an error; a claim is dropped. The text is lent, valid UTF-8 cut to 512 bytes is enough.
  virtual void fail(std::int32_t status, std::string_view text) noexcept = 0;

 protected:
  ~ReplySink() = default;
};

struct InstanceOptions {
  std::string_view config{};                // JSON text for create(); lent
  LogSink* log = nullptr;                   // null: lines are dropped
  std::uint64_t seed = 0;                   // of random(); 0: chosen, and told to the log
  std::span<const Extension> extensions{};  // lent for the instance's life
};

enum class State : std::uint8_t { created, inited, running, drained, stopped };
[[nodiscard]] std::string_view to_string(State state) noexcept;

class Instance {
 public:
  // Checks the entry, copies its table and calls create. On success `out` is CREATED.
  static Outcome make(const symphony_pit_entry& entry, const InstanceOptions& options, std::unique_ptr<Instance>& out);
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;
  ~Instance();  // destroys the pit's instance, in any state

  [[nodiscard]] const PitInfo& info() const noexcept { return info_; }
  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] std::uint64_t seed() const noexcept { return seed_; }

  Outcome init();                            // [CREATED -> INITED]
  Outcome start();                           // [INITED, DRAINED -> RUNNING]
  Outcome drain(std::uint64_t deadline_ns);  // [RUNNING -> DRAINED]; 0: none
  Outcome stop();                            // [DRAINED -> STOPPED]

  // Runs one request to its one ending. A deadline that has passed ends it as DEADLINE without the pit.   [RUNNING]
  void handle(const symphony_envelope& envelope, std::span<const std::byte> body, ReplySink& sink) noexcept;

  Outcome snapshot(Snapshot& out);  // [RUNNING, DRAINED]
  // The pit gets the bytes in pieces of at most read_size_max.   [INITED]
  Outcome restore(const Snapshot& from, std::uint32_t read_size_max = snapshot_read_size_max);

 private:
  enum class Step : std::uint8_t { init, start, handle, drain, snapshot, restore, stop };
  struct Rule;
  class Entered;

  explicit Instance(const InstanceOptions& options);
  static const Rule& rule(Step step) noexcept;
  [[nodiscard]] bool allowed(Step step) const noexcept;
  Outcome refuse(Step step);
  template <class Call>
  Outcome take(Step step, State next, Call&& call);
  Outcome outcome_of(std::int32_t status, std::string_view what);
  void end_request(std::int32_t status, ReplySink& sink) noexcept;
  void write_log(std::int32_t level, std::string_view line) noexcept;
  void blame_pit(std::string_view what) noexcept;
  [[nodiscard]] std::string_view reason() const noexcept { return {reason_.data(), reason_size_}; }
  std::span<const std::byte> aligned(std::span<const std::byte> body);

  // The host's functions, as the pit calls them.
  static void on_log(void* context, std::int32_t level, symphony_span text) noexcept;
  static std::uint64_t on_now(void* context) noexcept;
  static std::int32_t on_claim(void* context, std::uint32_t size_min, symphony_mut_span* out) noexcept;
  static std::int32_t on_commit(void* context, std::uint32_t used, std::uint32_t type) noexcept;
  static void on_error(void* context, symphony_span text) noexcept;
  static std::uint64_t on_random(void* context) noexcept;
  static const void* on_get_extension(void* context, std::uint64_t id) noexcept;

  symphony_pit_entry table_{};
  symphony_host host_{};
  PitInfo info_;
  void* self_ = nullptr;
  LogSink* log_;
  std::span<const Extension> extensions_;
  std::uint64_t seed_;
  std::uint64_t random_state_;
  State state_ = State::created;
  bool entered_ = false;

  // Of the call that is inside the pit.
  ReplySink* sink_ = nullptr;  // in handle only
  std::uint64_t now_ = 0;      // 0: not asked for yet
  std::span<std::byte> claimed_;
  std::uint32_t used_ = 0;
  std::uint32_t type_ = 0;
  bool has_claim_ = false;
  bool committed_ = false;
  std::size_t reason_size_ = 0;
  std::array<char, error_text_max> reason_{};
  std::vector<std::uint64_t> aligned_body_;  // for callers whose body is not 8-byte aligned
};

}  // namespace symphony::pit
