// The walls around a pit's process: what may be asked for, and what was reached.   Layer: base.
// A wall is a *block* of the kernel's; a set of them is a number with a bit each. What a pit's process reached is said
// by its runtime, which is as untrusted as the pit: docs/security.md says which blocks stand before any code of the pit
// runs. Threads: pure functions, plain values.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace symphony {

// What a confined pit may still ask of the kernel once it serves.
enum class SandboxProfile : std::uint8_t {
  none = 0,     // not confined
  ring = 1,     // its links, timers and log; memory only of what was set aside before it began to serve
  heap = 2,     // and memory
  threads = 3,  // and threads
};

// Stable: numbers are never reused.
enum class SandboxBlock : std::uint8_t {
  user_namespace = 0,     // no right outside
  pid_namespace = 1,      // sees no other process
  mount_namespace = 2,    // sees libraries, its own file, and nothing else
  network_namespace = 3,  // no network, no abstract sockets of others
  ipc_namespace = 4,      // no System V objects or message queues of others
  capabilities = 5,       // none, and none to be had
  limits = 6,             // memory, descriptors, files, core dumps
  no_new_privileges = 7,
  closed_descriptors = 8,  // inherits nothing but what it was given
  parent_death = 9,        // dies with the keeper
  landlock = 10,           // reads libraries and its own file while it loads, then no file
  landlock_network = 11,   // no TCP (Landlock ABI 4)
  landlock_scope = 12,     // no signals and abstract sockets to others (Landlock ABI 6)
  start_filter = 13,       // system calls, before any code of the pit runs
  filter = 14,             // system calls of its profile, when it serves
};
inline constexpr std::size_t sandbox_block_count = 15;
inline constexpr std::array<std::string_view, sandbox_block_count> sandbox_block_names = {
    "user",         "pid",          "mount",          "net",           "ipc",
    "capabilities", "limits",       "no_new_privs",   "descriptors",   "parent_death",
    "landlock",     "landlock_net", "landlock_scope", "seccomp_start", "seccomp"};

using SandboxBlocks = std::uint32_t;
[[nodiscard]] constexpr SandboxBlocks bit_of(SandboxBlock block) noexcept {
  return SandboxBlocks{1} << static_cast<std::uint8_t>(block);
}
inline constexpr SandboxBlocks sandbox_all_blocks = (SandboxBlocks{1} << sandbox_block_count) - 1;
// What a confined pit needs if its operator says nothing: all that Linux 6.1 gives to an ordinary user. Where Landlock
// does not know networks or scopes yet, namespaces and filters keep the same away.
inline constexpr SandboxBlocks sandbox_default_blocks =
    sandbox_all_blocks & ~(bit_of(SandboxBlock::landlock_network) | bit_of(SandboxBlock::landlock_scope));

[[nodiscard]] constexpr std::string_view name_of(SandboxBlock block) noexcept {
  return sandbox_block_names[static_cast<std::size_t>(block)];
}
[[nodiscard]] constexpr std::optional<SandboxBlock> sandbox_block_of(std::string_view name) noexcept {
  for (std::size_t i = 0; i < sandbox_block_count; ++i) {
    if (sandbox_block_names[i] == name) return static_cast<SandboxBlock>(i);
  }
  return std::nullopt;
}
// Their names with a space between, in the order of the numbers.
[[nodiscard]] inline std::string names_of(SandboxBlocks blocks) {
  std::string out;
  for (std::size_t i = 0; i < sandbox_block_count; ++i) {
    if ((blocks >> i & 1) != 0) out.append(out.empty() ? "" : " ").append(sandbox_block_names[i]);
  }
  return out;
}

[[nodiscard]] constexpr std::string_view name_of(SandboxProfile profile) noexcept {
  constexpr std::string_view names[] = {"none", "ring", "heap", "threads"};
  return names[static_cast<std::size_t>(profile)];
}
[[nodiscard]] constexpr std::optional<SandboxProfile> sandbox_profile_of(std::string_view name) noexcept {
  for (const auto p : {SandboxProfile::none, SandboxProfile::ring, SandboxProfile::heap, SandboxProfile::threads}) {
    if (name_of(p) == name) return p;
  }
  return std::nullopt;
}

// What an operator asks for. A pit whose process does not reach every block of `required` is not run.
struct SandboxPolicy {
  SandboxProfile profile = SandboxProfile::none;
  SandboxBlocks required = sandbox_default_blocks;
  friend bool operator==(const SandboxPolicy&, const SandboxPolicy&) = default;
};

}  // namespace symphony
