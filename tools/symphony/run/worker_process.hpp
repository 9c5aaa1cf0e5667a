// The runner's end of a worker.   Layer: tools. Threads: one.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <symphony/unique_fd.hpp>

#include "tools/symphony/run/work.hpp"
#include "tools/symphony/run/worker_wire.hpp"

namespace symphony::tools {

struct CommandEnding {
  EndingHead head;
  std::string output;
};

class WorkerProcess {
 public:
  WorkerProcess() noexcept = default;
  WorkerProcess(WorkerProcess&&) noexcept = default;
  WorkerProcess& operator=(WorkerProcess&&) noexcept = default;
  ~WorkerProcess() { close(); }

  // Starts this program once more as a worker; false: errno says why. `journal` is borrowed for the call.
  [[nodiscard]] bool start(int journal);
  [[nodiscard]] int fd() const noexcept { return socket_.get(); }
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }

  // Precondition: the worker has no command. False: it is gone.
  [[nodiscard]] bool give(const WorkTask& task, const std::vector<std::string>& environment);
  // To the command's process group; nothing when it has ended.
  void signal(int number);
  // Call when fd() is readable. False: the worker is gone.
  [[nodiscard]] bool receive(std::optional<CommandEnding>& out);
  // The worker ends what it runs, then itself; waits for that.
  void close() noexcept;

 private:
  UniqueFd socket_;
  pid_t pid_ = 0;
  std::string buffer_;
};

}  // namespace symphony::tools
