// One datagram with descriptors over a SOCK_SEQPACKET socket, bytes uninterpreted.   Layer: control.
// Under ControlSocket and the keeper's protocol. No call here blocks except wait_*, which take a deadline.
// Threads: one reader and one writer at a time for one socket.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include <symphony/clock.hpp>
#include <symphony/result.hpp>
#include <symphony/unique_fd.hpp>

namespace symphony::detail::control {

// Whether descriptors in a datagram are taken. The broker refuses them from callers and pits: it only hands out its
// own.
// `accept_or_tell`: where the receiver has no number left for them the datagram is worth having without: fds_lost.
enum class FdPolicy { refuse, accept, accept_or_tell };

struct Packet {
  std::size_t size = 0;  // bytes of the caller's buffer that were filled
  std::vector<UniqueFd> fds;
  bool fds_lost = false;  // there were some that this process had no room for: `fds` is empty
};

// Sends all bytes as one datagram, `fds` (borrowed, at most fds_max) beside it.
//   errc::busy    the socket's buffer is full: wait_writable, or queue
//   errc::closed  nobody will ever read it
[[nodiscard]] result<void> send_packet(int socket, std::span<const std::byte> bytes, std::span<const int> fds = {});

// The next datagram; nothing when none is there yet. Descriptors are close-on-exec.
//   errc::closed      the other side is gone, and everything it sent has been read (an empty datagram counts as that)
//   errc::peer_fault  the datagram was longer than `buffer`, carried more than fds_max descriptors, or any under
//   `refuse`.
//                     It is consumed and its descriptors are closed.
//   errc::out_of_descriptors  this process has none left, under `accept`: the datagram is consumed, what came of its
//   fds is
//                     closed
[[nodiscard]] result<std::optional<Packet>> receive_packet(int socket, std::span<std::byte> buffer, FdPolicy policy);

// Whether the socket is readable (data or the end) or writable before the deadline; errc::timeout.
[[nodiscard]] result<void> wait_readable(int fd, TimeNs deadline_ns);
[[nodiscard]] result<void> wait_writable(int fd, TimeNs deadline_ns);

}  // namespace symphony::detail::control
