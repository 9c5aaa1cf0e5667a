// What a pit may try to get out, one function each: true if it worked. Numbers are those of the design's list.
// Each runs in a process that is thrown away, beside a neighbour that has what is tried for.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include <sys/types.h>

namespace symphony::hostile {

inline constexpr int report_fd = 3;     // where an attempt that has become another program says that it did
inline constexpr int read_only_fd = 4;  // a file in memory, open to be read

// What is there to be got at. Made before the attempt, known to it.
struct Neighbour {
  pid_t pid = 0;
  int secret_fd = -1;          // its descriptor of a file in memory
  const char* secret_at = "";  // in its memory, at the same place as in the attempt's
  char folder[64]{};           // with the file `secret`
  char abstract[32]{};         // a socket's name that it listens at
  char socket_path[96]{};
  unsigned short tcp_port = 0;
  unsigned short udp_port = 0;
  int shm_key = 0;
  int queue_key = 0;
};

struct Attempt {
  int number;
  const char* name;
  bool (*run)(const Neighbour&);
};
[[nodiscard]] std::span<const Attempt> attempts();

// A program that says on report_fd that it runs, in memory before the walls are up.
void prepare_attempts();

}  // namespace symphony::hostile
