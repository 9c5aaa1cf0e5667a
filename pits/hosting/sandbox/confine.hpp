// Puts up the walls around a pit's process, in two phases.   Layer: hosting/sandbox (base).
//
// begin() runs before any code of the pit, constructors of its file included: what it puts up does not depend on the
// pit. finish() runs when the pit has started and leaves it what its profile allows. The second phase is done by the
// process that holds the pit: a hostile one can skip it and say that it did not, so nothing that others need rests on
// it (docs/security.md).
// A wall that this kernel does not give is left out if it is not required; else nothing runs, and refusal() says which.
// Threads: one in the process at begin() and close_files(); finish() holds for all there are.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include <symphony/sandbox.hpp>

namespace symphony::pit::sandbox {

struct Plan {
  SandboxProfile profile = SandboxProfile::heap;
  SandboxBlocks required = sandbox_default_blocks;
  SandboxBlocks wanted = sandbox_all_blocks;  // less of those that leave_out() names
  bool has_user_namespace = false;            // since the process began
  bool has_pid_namespace = false;             // and it is the first one there
  int control_fd = 3;
  unsigned first_closed_fd = 8;  // from here on descriptors are not for the pit
};

// What the keeper says in SYMPHONY_PIT_SANDBOX (PROFILE:REQUIRED) and SYMPHONY_PIT_NAMESPACES. False: it makes no
// sense.
[[nodiscard]] bool read_plan(const char* sandbox, const char* namespaces, Plan& out);

// Walls, as a number, that whoever runs the pit wants without: to learn what a filter would answer, to see what a wall
// costs. One that is required is missed then, as if the kernel did not give it. Null: none. False: no number.
[[nodiscard]] bool leave_out(const char* walls, Plan& plan);

class Confinement {
 public:
  explicit Confinement(const Plan& plan) noexcept : plan_(plan) {}

  // Phase one. With a namespace of processes it returns in a new process, the one that is to be the pit; the one that
  // called waits for that and ends as it did: with its status, or with 128 and the number of its signal. The pit's file
  // stands behind placed_at() then. False: a required wall is missing.
  [[nodiscard]] bool begin(std::span<const std::byte> pit_file);
  // Null: the file is where it was.
  [[nodiscard]] const char* placed_at() const noexcept;
  // Phase two, before the runtime has threads; and when it has them.
  [[nodiscard]] bool close_files();
  [[nodiscard]] bool finish();

  [[nodiscard]] SandboxBlocks reached() const noexcept { return reached_; }
  // Of the function that was false: which wall, and why the kernel does not give it.
  [[nodiscard]] const std::string& refusal() const noexcept { return refusal_; }

 private:
  [[nodiscard]] bool wants(SandboxBlock block) const noexcept { return (plan_.wanted & bit_of(block)) != 0; }
  // Takes note of how it went. False: it did not, and is required.
  bool settle(SandboxBlock block, bool is_up, const char* what, int why);
  bool enter_namespaces(std::span<const std::byte> pit_file);
  bool give_up_rights();
  bool become_child();
  bool filter_start();
  bool close_landlock(bool is_start);

  Plan plan_;
  SandboxBlocks reached_ = 0;
  std::string refusal_;
};

}  // namespace symphony::pit::sandbox
