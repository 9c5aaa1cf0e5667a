// The daemon that iceoryx needs, in a world of its own that ends with the comparison.   Layer: bench.
//
// iox-roudi and its users meet under fixed names in /dev/shm and /tmp, so there can be one on a machine, and what a
// killed one leaves stays. Here the calling process first gets a mount namespace of its own with both folders empty:
// other comparisons and an iox-roudi of the machine's owner are not met, and the kernel drops all of it with the last
// process, however that ended. Threads: call it from a program with one thread.
#pragma once

#include <cstddef>

#include <sys/types.h>

#include <symphony/result.hpp>
#include <symphony/unique_fd.hpp>

namespace symphony::bench::peers {

class Roudi {
 public:
  Roudi() = default;
  Roudi(const Roudi&) = delete;
  Roudi& operator=(const Roudi&) = delete;
  ~Roudi();  // ends it

  // Its shared memory has `count` chunks of `size`, and nothing else. Success: it takes clients. It dies with the
  // calling process. On an error the process must not use /dev/shm and /tmp any more. Once.
  [[nodiscard]] result<void> start(std::size_t size, std::size_t count);

 private:
  pid_t pid_ = 0;
  UniqueFd output_;  // kept open: it would die of writing to a pipe that nobody holds
};

}  // namespace symphony::bench::peers
