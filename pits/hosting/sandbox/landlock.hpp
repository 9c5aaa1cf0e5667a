// Landlock: file, network and scope rules of the kernel that a process gives itself.   Layer: hosting/sandbox (base).
// Constants of our own: Debian 12's headers know the rights of ABI 2. Threads: the calling one and those it starts
// later.
#pragma once

#include <symphony/result.hpp>

namespace symphony::pit::sandbox {

// The newest version of the rules that this kernel enforces; 0: none, or it is switched off.
[[nodiscard]] int landlock_abi() noexcept;

enum class Reading : bool { nothing, libraries };
// From now on, as far as this kernel can: no file but, with `libraries`, the system's, what is at the root of its own,
// and nothing written; no TCP; no signal and no abstract socket to anybody outside. Precondition: no_new_privs is set.
[[nodiscard]] result<void> restrict_files(int abi, Reading reading) noexcept;

}  // namespace symphony::pit::sandbox
