// Watches the system calls of a process, its threads and its children, by ptrace.   Layer: tools.
//
// Threads: all functions on one thread, the one that made it: the kernel knows a tracer by its thread. Lifetime: what
// is watched is let go with the object, and goes on. A process that ends meanwhile is forgotten.
#pragma once

#include <functional>
#include <map>

#include <sys/types.h>

#include <symphony/clock.hpp>
#include <symphony/result.hpp>

#include "pits/hosting/sandbox/answers.hpp"

namespace symphony::tools {

class CallTracer {
 public:
  struct Seen {
    pid_t thread = 0;
    pid_t process = 0;
    pit::sandbox::SystemCall call;
  };
  CallTracer() = default;
  CallTracer(const CallTracer&) = delete;
  CallTracer& operator=(const CallTracer&) = delete;
  ~CallTracer();

  // That process with its threads and children, and whatever they begin from now on.
  // Errors: refused (the kernel lets this user trace nobody, or not this one), not_found.
  [[nodiscard]] result<void> watch(pid_t process);
  // Tells of each call as it is made, until `is_over` says so, which is asked every few milliseconds.
  void run(const std::function<void(const Seen&)>& tell, const std::function<bool()>& is_over);

 private:
  void stopped(pid_t thread, int status, const std::function<void(const Seen&)>& tell);
  void let_go();

  std::map<pid_t, pid_t> threads_;  // with the process of each
};

}  // namespace symphony::tools
