// The dead letters of a pit in the folder of its state: `<pit>.letters`, so that they outlive the daemon and the
// machine.   Layer: broker. Threads: one process writes, the one that has the lock.
// A file is whole or it is not used: a checksum over all of it, and it takes the place of the one before in one step.
// One that is damaged, or of another release, is set aside as `<pit>.letters.refused`, where nothing touches it.
#pragma once

#include <optional>
#include <string>

#include <symphony/result.hpp>
#include <symphony/unique_fd.hpp>

#include "bus/broker/dead_letters.hpp"

namespace symphony::detail::broker {

// `<pit>.letters.lock`: who has it is the only one that may read and write them, until every descriptor of it is
// closed. Errors: busy (another broker keeps letters of a pit of this name there), refused (as below), system.
[[nodiscard]] result<UniqueFd> lock_letter_file(const std::string& folder, const std::string& pit);
// On the disk when this returns.   Errors: refused (the folder is not this user's alone), out_of_memory, system; what
// was there stays.
[[nodiscard]] result<void> write_letter_file(const std::string& folder, const std::string& pit,
                                             std::span<const std::byte> letters);
// Nothing: there are none. Errors: refused (it is none, and was set aside), system.
[[nodiscard]] result<std::optional<DeadLetters>> read_letter_file(const std::string& folder, const std::string& pit);

}  // namespace symphony::detail::broker
