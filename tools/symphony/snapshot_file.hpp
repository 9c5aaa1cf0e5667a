// A pit's snapshot as a file: who it is of, which revision, the snapshot's frame, one checksum over all of it.   Layer:
// tools. Format: docs/formats/snapshot.md. Threads: pure functions.
// Trust: the file may be anything; nothing of it is used before all of it was checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pits/hosting/host.hpp"
#include "tools/symphony/graph/input_error.hpp"

namespace symphony::tools {

inline constexpr std::uint32_t snapshot_file_magic = 0x4e535953;  // "SYSN"
inline constexpr std::uint32_t snapshot_file_format = 1;

struct SnapshotFileHead {  // at 0; behind it the name, with zeros up to a multiple of 8, then the frame
  std::uint32_t magic = 0;
  std::uint32_t format = 0;
  std::uint32_t revision = 0;   // of the pit's state
  std::uint32_t name_size = 0;  // of the pit's own name, as its note says it: 1 to 63
  std::uint64_t frame_size = 0;
  std::uint64_t checksum = 0;  // of the whole file, with a 0 here
};
static_assert(sizeof(SnapshotFileHead) == 32);

struct SnapshotFile {
  std::string pit;  // as its note says
  pit::Snapshot snapshot;
};

// The largest file there can be, in bytes.
[[nodiscard]] std::uint64_t snapshot_file_size_max() noexcept;

// Equal snapshots give equal bytes.   Throws bad_alloc.
[[nodiscard]] std::vector<std::byte> write_snapshot_file(const SnapshotFile& file);
// Errors: the bytes are no such file, of another version of the format, cut short or longer than they say, or damaged.
// `name`: of the file, for the error.   Throws bad_alloc.
[[nodiscard]] InputResult<SnapshotFile> read_snapshot_file(std::span<const std::byte> bytes, std::string_view name);

}  // namespace symphony::tools
