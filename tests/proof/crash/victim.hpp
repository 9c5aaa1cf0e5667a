// A forked child that is stepped, or run up to one of its instructions, and killed there.   Layer: tests.
//
// The child stands between two markers; the tracer alone moves it. Its addresses are those of this process, being a
// fork of it. x86-64 only; where ptrace is not permitted `tracing_works()` says why, and the proofs are skipped. Only
// children of its own are traced and killed. Threads: the one that made it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include <symphony/unique_fd.hpp>

namespace symphony::proof {

// "" or the reason why children cannot be traced here.
[[nodiscard]] std::string tracing_works();

class Victim {
 public:
  // Forks; the child stops at its first marker, before body(context).
  template <class Body>
  explicit Victim(Body& body)
      : Victim([](void* context) { (*static_cast<Body*>(context))(); }, static_cast<void*>(&body)) {}
  Victim(const Victim&) = delete;
  Victim& operator=(const Victim&) = delete;
  // Kills the child, if it is alive, and waits for its death.
  ~Victim();

  // Executes one instruction. False: the child stands at its second marker, behind body().
  [[nodiscard]] bool step();
  // Runs until the instruction at `address` is next for the `times`th time. False: it never came to that.
  [[nodiscard]] bool run_to(std::uint64_t address, std::size_t times);
  [[nodiscard]] std::uint64_t next_instruction() const;
  // SIGKILL; returns when the child's pidfd says that it is dead.
  void kill();
  [[nodiscard]] int pidfd() const noexcept { return pidfd_.get(); }

 private:
  Victim(void (*body)(void*), void* context);
  bool wait_for_stop();

  pid_t pid_ = -1;
  UniqueFd pidfd_;
  bool dead_ = false;
};

// The addresses of the instructions of body(), in order, and the quickest way to each: run to where one before it comes
// up for the nth time, step the rest.
class Path {
 public:
  template <class Body, class Step>
  static Path of(Body& body, Step&& after_step) {
    Path path;
    Victim victim(body);
    path.add(victim.next_instruction());
    while (victim.step()) {
      path.add(victim.next_instruction());
      after_step();
    }
    return path;
  }
  template <class Body>
  static Path of(Body& body) {
    return of(body, [] {});
  }
  // Points to die at: before the first instruction, after each one.
  [[nodiscard]] std::size_t points() const noexcept { return points_.size(); }
  // False: the victim went another way.
  [[nodiscard]] bool lead(Victim& victim, std::size_t point) const;

 private:
  struct Point {
    std::uint64_t address = 0;
    std::size_t times = 0;   // it came up, this time included
    std::size_t anchor = 0;  // the point to run to
    std::size_t cost = 0;    // in steps
  };
  void add(std::uint64_t address);
  std::vector<Point> points_;
  std::unordered_map<std::uint64_t, std::size_t> times_;
};

// Whether the process behind a pidfd is dead.
[[nodiscard]] bool is_dead(int pidfd, int wait_ms = 0) noexcept;

}  // namespace symphony::proof
