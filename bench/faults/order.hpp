// What the culprit is told to do, and how it is called.   Layer: bench. Plain values; the same for wasm32.
#pragma once

#include <cstdint>

namespace symphony::faults {

// Stable: numbers are never reused.
enum class Fault : std::uint32_t {
  null_write = 0,
  wild_write = 1,
  stack_overflow = 2,
  abort = 3,
  uncaught_exception = 4,
  infinite_loop = 5,
  deadlock = 6,
  memory_leak = 7,
  fd_exhaustion = 8,
  fork_bomb = 9,
  exit_in_handler = 10,
  read_secret = 11,
  open_socket = 12,
  ptrace_host = 13,
  corrupt_header = 14,
  lying_length = 15,
  corrupt_flatbuffer = 16,
  ring_index = 17,
  slow_consumer = 18,
  version_skew = 19,  // committed by mounting another file, not by a message
};
inline constexpr std::uint32_t fault_count = 20;

// Message types of the culprit.
inline constexpr std::uint32_t ask_type = 11;     // empty; answered with told_type and the number asked so far
inline constexpr std::uint32_t commit_type = 12;  // an Order; may run once
inline constexpr std::uint32_t told_type = 13;    // a std::uint64_t, or of an Order text: what came of it

struct Order {
  Fault fault = Fault::null_write;
  std::uint32_t has_ring = 0;    // 1: replies are written straight into a ring
  std::uint64_t host_pid = 0;    // of the program that hosts, as the cell numbers it
  std::uint64_t canary = 0;      // an address in that program: canary_words words that nobody may change
  std::uint32_t reply_type = 0;  // of a FlatBuffer that the host reads
  std::uint16_t port = 0;        // where others listen, on 127.0.0.1
  char secret_path[42]{};        // a file of others
};
static_assert(sizeof(Order) == 72);

inline constexpr std::uint32_t canary_words = 512;
inline constexpr std::uint64_t canary_value = 0x0123456789abcdef;
inline constexpr std::uint32_t processes_max = 400;            // where the fork bomb stops by itself
inline constexpr std::uint32_t leak_max_mib = 256;             // where the leak stops by itself
inline constexpr std::uint32_t memory_limit_mib = 192;         // of each process in the cell
inline constexpr std::uint32_t slow_ms = 300;                  // how long the slow consumer takes for one message
inline constexpr std::uint32_t culprit_reply_size_max = 4096;  // bytes

}  // namespace symphony::faults
