// Where broker and callers meet: the path of the socket, listening there, connecting to it.   Layer: control.
// A realm is one broker's name; its directory belongs to one user (0700), which is the access right to the broker.
#pragma once

#include <string>
#include <string_view>

#include <symphony/clock.hpp>
#include <symphony/result.hpp>
#include <symphony/unique_fd.hpp>

namespace symphony::detail::control {

inline constexpr std::size_t realm_size_max = 32;
inline constexpr std::string_view default_realm = "default";

// 1 to realm_size_max of a-z 0-9 - _ , starting with a letter or digit: it becomes a directory's name.
[[nodiscard]] bool is_realm_name(std::string_view realm) noexcept;

// <runtime directory>/symphony/<realm>/broker.sock. The runtime directory is $XDG_RUNTIME_DIR, else /run/user/<uid>
// where that exists, else /tmp/symphony-<uid>. Says only where; touches nothing.
[[nodiscard]] result<std::string> default_socket_path(std::string_view realm);

// Makes the directory that will hold the socket, with its missing parents, each 0700. errc::refused when the directory
// belongs to another user, is no directory, or others may enter it, or when others could put another in its place.
[[nodiscard]] result<void> prepare_socket_directory(const std::string& socket_path);

// A listening socket at `path`, which may hold a socket already: the caller holds the realm's lock, so it is a stale
// one.
[[nodiscard]] result<UniqueFd> listen_at(const std::string& path);

// The next connection, nothing when none waits.
[[nodiscard]] result<UniqueFd> accept_at(int listener);

// Connects, trying again until the deadline while there is no broker. errc::unreachable when none came; errc::refused
// when the directory or socket belongs to somebody else.
[[nodiscard]] result<UniqueFd> connect_to(const std::string& path, TimeNs deadline_ns);

}  // namespace symphony::detail::control
