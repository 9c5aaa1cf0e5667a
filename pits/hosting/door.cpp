#include "pits/hosting/door.hpp"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <thread>

namespace symphony::pit {
namespace {

bool membarrier(int command) noexcept { return ::syscall(SYS_membarrier, command, 0, 0) == 0; }

}  // namespace

// Once it is registered it fails only where a filter was put before the system call since. Then time does it: what a
// processor has stored reaches the others in microseconds.
void ThisMachine::heavy() noexcept {
  if (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED)) return;
  std::this_thread::sleep_for(std::chrono::milliseconds(10));
}

bool ThisMachine::may_be_heavy() noexcept {
  static const bool registered = membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
  return registered;
}

}  // namespace symphony::pit
