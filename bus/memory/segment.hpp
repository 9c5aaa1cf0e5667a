// The two memfds of a link, made by the broker, mapped by its two ends.   Layer: memory (uses base only).
//
// A segment is written by one side and read by the other. The order of calls is the isolation (protocol A1-A5):
// create_segment_pair -> each side maps its own writable -> seal_segment -> reopen_read_only -> each side maps the
// other's. After the seal the kernel refuses every new way to write: mapping, mprotect, pwrite, truncation, hole
// punching. Threads: free functions, any thread. Format: docs/formats/segment.md.
#pragma once

#include <cstdint>

#include <symphony/result.hpp>
#include <symphony/unique_fd.hpp>

namespace symphony::detail {

// Page 0 is for diagnosis, page 1 for control words, data follows.
inline constexpr std::uint64_t segment_header_size = 2UL * 4096;
inline constexpr std::uint32_t ring_capacity_min = 4096;
inline constexpr std::uint32_t ring_capacity_max = 1u << 30;
inline constexpr std::uint32_t ring_capacity_default = 256 * 1024;

// A capacity is a power of two between ring_capacity_min and ring_capacity_max.
[[nodiscard]] constexpr bool is_ring_capacity(std::uint64_t capacity) noexcept {
  return capacity >= ring_capacity_min && capacity <= ring_capacity_max && (capacity & (capacity - 1)) == 0;
}
[[nodiscard]] constexpr std::uint64_t caller_segment_size(std::uint32_t request_capacity) noexcept {
  return segment_header_size + request_capacity;
}
[[nodiscard]] constexpr std::uint64_t pit_segment_size(std::uint32_t reply_capacity) noexcept {
  return segment_header_size + reply_capacity;
}

struct SegmentPair {
  UniqueFd caller;  // written by the caller
  UniqueFd pit;     // written by the pit
};

// Two memfds, every page allocated now: a full memory is an error here, never a SIGBUS later. `nonce` goes into page 0
// of both. Errors: out_of_memory, out_of_descriptors, system.
[[nodiscard]] result<SegmentPair> create_segment_pair(std::uint64_t caller_size, std::uint64_t pit_size,
                                                      std::uint64_t nonce);

// One memfd, all of it zero, every page allocated now; for what one side writes and others read. Errors: as above.
[[nodiscard]] result<UniqueFd> create_board_memory(std::uint64_t size);

// Ends all writing but through mappings that exist. Precondition: fd is a memfd made by create_segment_pair.
[[nodiscard]] result<void> seal_segment(int fd);

// A read-only description of the same memory; what is handed to the side that may only read.
[[nodiscard]] result<UniqueFd> reopen_read_only(int fd);

// Refuses a segment that could still be resized or written behind our back, or has another size than was agreed.
[[nodiscard]] result<void> check_peer_segment(int fd, std::uint64_t size);

}  // namespace symphony::detail
