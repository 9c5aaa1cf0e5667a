// make's tokens as leases of a PoolManager pool.   Layer: tools. Threads: one.
//
// Each make has a pipe of its own with this program, so each token has an owner: make's MAKE is this program, which
// asks for the pipe over a socket and then becomes the real make. A token in a pipe is offered; one that was read is
// held. Free tokens are shared among the pipes and, when there are fewer than pipes, handed around, so that each make
// is offered one again and again. When a make dies, the kernel says so (pidfd), and what it held is free at once; what
// a make writes beyond what it took is dropped. So the count is right whatever dies and whoever miscounts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace symphony::tools {

// The argument that makes `symphony` the make of a recipe, and what tells it where to ask.
inline constexpr const char* jobserver_client_argument = "__jobserver-make";
inline constexpr const char* jobserver_socket_name = "SYMPHONY_JOBSERVER";
inline constexpr std::uint32_t jobserver_makes_max = 1024;  // at once; further ones work with one job

struct JobserverOptions {
  std::string pool = "cpu";          // what the pool is called
  std::uint32_t jobs = 0;            // its size; 0: what the command's -j says, else the processors
  std::vector<std::string> command;  // make and its arguments
  bool tell = false;                 // at the end, on stderr: the account of the tokens
};

// Runs the command to its end. Returns its exit status, or one of ours after a line on stderr.
[[nodiscard]] int run_jobserver(const JobserverOptions& options);

// Becomes the make that argv names behind jobserver_client_argument; returns only where that cannot be.
[[nodiscard]] int become_make(int argc, char** argv);

}  // namespace symphony::tools
