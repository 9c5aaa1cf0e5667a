// What the runner and its workers say to each other, over a socket pair between two processes of the same file.
// Layer: tools. Threads: plain values.
#pragma once

#include <cstdint>

namespace symphony::tools {

// The argument that makes `symphony` a worker, and the descriptors that it then has.
inline constexpr const char* worker_argument = "__run-worker";
inline constexpr int worker_socket = 3;
inline constexpr int worker_journal = 4;

// What of a command's output is kept: the beginning and the end of it.
inline constexpr std::uint64_t output_head_max = std::uint64_t{256} << 10;
inline constexpr std::uint64_t output_tail_max = std::uint64_t{768} << 10;

enum class WorkerOrder : std::uint32_t { run = 1, signal = 2 };

// To the worker. Behind `run`: id, directory, command, outputs and environment, the last two as texts that end in a
// zero.
struct OrderHead {
  WorkerOrder order = WorkerOrder::run;
  std::uint32_t signal = 0;  // of `signal`: what the command's process group gets, if it still runs
  std::uint64_t fingerprint = 0;
  std::uint32_t id_size = 0;
  std::uint32_t directory_size = 0;
  std::uint32_t command_size = 0;
  std::uint32_t outputs_size = 0;
  std::uint32_t environment_size = 0;
  std::uint32_t padding = 0;
};
static_assert(sizeof(OrderHead) == 40);

// Where a command failed that did not start, or whose success could not be written down.
enum class WorkerStep : std::uint32_t { none = 0, folder = 1, start = 2, directory = 3, journal = 4 };

// From the worker, once for each `run`. Behind it: what the command wrote.
struct EndingHead {
  std::int32_t wait_status = 0;  // as of waitpid()
  std::int32_t error = 0;        // errno of the step that failed
  WorkerStep step = WorkerStep::none;
  std::uint32_t padding = 0;
  std::int64_t duration_ns = 0;
  std::uint64_t output_size = 0;
  std::uint64_t output_left_out = 0;  // bytes between head and tail that were dropped
};
static_assert(sizeof(EndingHead) == 40);

}  // namespace symphony::tools
