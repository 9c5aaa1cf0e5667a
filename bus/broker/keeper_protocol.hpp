// What broker and keeper say to each other: one datagram is a header and a payload.   Layer: broker.
// Both are of one program or agree on a handover_version (next_program.hpp), so this is no public format; the keeper
// still checks every size, since it outlives brokers. Threads: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <sys/types.h>

#include "bus/broker/core_types.hpp"

namespace symphony::detail::broker::keeper {

inline constexpr std::size_t datagram_size_max = 64UL * 1024;
inline constexpr std::size_t processes_max = places_max;
inline constexpr std::size_t records_max = links_max + 3 * places_max;  // of a pit itself, its state, its next state
inline constexpr std::size_t strings_max = 1024;                        // arguments and environment of one process

enum class Kind : std::uint32_t {
  // broker -> keeper
  spawn = 1,     // payload: SpawnRequest
  put = 2,       // payload: blob of at most record_size_max, fds: held with it; replaces an earlier one of the key
  remove = 3,    // a record
  serving = 4,   // from now on
  stopping = 5,  // as it was told to, by whomever: what follows is its end, not its death
  fetch = 6,     // the descriptors that are held with a record: answered by `held`
  // keeper -> broker
  begin = 16,         // payload: BeginInfo; that many `process` and `record` follow
  process = 17,       // value: pid; fds: the broker's end of its control socket, pidfd, and
                      // where its stderr is read, if it was to be kept
  record = 18,        // payload: blob. Its fds stay here: they keep the memory; who wants to see it fetches them
  spawned = 19,       // value: pid; fds as process
  spawn_failed = 20,  // value: errno
  exited = 21,        // value: as exit_value() has it
  stop = 22,          // end all pits in order, then exit
  held = 23,          // fds: those of the record, or none
};

struct Header {
  Kind kind{};
  std::int32_t value = 0;
  std::uint64_t key = 0;
};
static_assert(sizeof(Header) == 16);

struct BeginInfo {
  std::uint64_t generation = 0;
  std::uint32_t processes = 0;
  std::uint32_t records = 0;
};
static_assert(sizeof(BeginInfo) == 16);

// A process is one instance of one pit.
[[nodiscard]] constexpr std::uint64_t process_key(PitIndex pit, std::uint32_t instance) noexcept {
  return (std::uint64_t{pit} << 32) | instance;
}
[[nodiscard]] constexpr PitIndex pit_of(std::uint64_t key) noexcept { return static_cast<PitIndex>(key >> 32); }
[[nodiscard]] constexpr std::uint32_t instance_of(std::uint64_t key) noexcept {
  return static_cast<std::uint32_t>(key);
}

// How a process ended, as one number.
inline constexpr std::int32_t signal_base = 256, dumped_flag = 1 << 16;
[[nodiscard]] constexpr std::int32_t exit_value(bool signalled, int value, bool dumped) noexcept {
  return (signalled ? signal_base : 0) + value + (dumped ? dumped_flag : 0);
}
struct Exit {
  bool signalled = false;
  int value = 0;  // the signal's number, or the exit status
  bool dumped = false;
};
[[nodiscard]] constexpr Exit exit_of(std::int32_t value) noexcept {
  const std::int32_t rest = value & ~dumped_flag;
  return {rest >= signal_base, rest % signal_base, (value & dumped_flag) != 0};
}

struct SpawnRequest {
  bool clear_environment = false;
  bool own_namespaces = false;  // of users and processes: it is the first process there (process.cpp)
  bool keep_stderr = false;     // through a pipe, whose end to read comes with `spawned`
  std::string executable;
  std::vector<std::string> args;         // argv[0] included
  std::vector<std::string> environment;  // NAME=value, over what is inherited
  // Descriptors held with these records, from first_inherited_fd on, in this order.
  struct Inherited {
    std::uint64_t key = 0;
    bool read_only = false;
  };
  std::vector<Inherited> inherited{};
};
inline constexpr int control_fd = 3;  // what SYMPHONY_CONTROL_FD says
inline constexpr int first_inherited_fd = 4;
inline constexpr std::size_t inherited_max = 4;

struct Datagram {
  Header header;
  std::span<const std::byte> payload;
};

[[nodiscard]] std::vector<std::byte> datagram(Kind kind, std::uint64_t key, std::int32_t value,
                                              std::span<const std::byte> payload = {});
[[nodiscard]] std::optional<Datagram> parse(std::span<const std::byte> bytes);

[[nodiscard]] std::vector<std::byte> encode(const SpawnRequest& request);
[[nodiscard]] std::optional<SpawnRequest> decode_spawn(std::span<const std::byte> payload);

}  // namespace symphony::detail::broker::keeper
