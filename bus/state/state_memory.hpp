// The memory that outlives a pit: a memfd that the keeper holds, or a file.   Layer: state.
// Threads: one. Lifetime: the mapping is this object's; the memory is as old as its descriptors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include <symphony/result.hpp>
#include <symphony/unique_fd.hpp>

#include "bus/state/layout.hpp"

namespace symphony::detail {

// Of what a living process hands to the next: one snapshot of any size, and no journal to speak of. Memory is taken as
// it is used.
inline constexpr StateGeometry handed_state_geometry{1ull << 30, 4096};

// New memory of this geometry, all zero, without a name and without a page of its own yet.
// Errors: invalid_argument, out_of_descriptors, out_of_memory.
[[nodiscard]] result<UniqueFd> create_state_memory(const StateGeometry& geometry);

// A folder of this user's that nobody else may write to.   Errors: refused, out_of_memory, system.
[[nodiscard]] result<UniqueFd> open_state_folder(const std::string& folder);

// A new file for it, `<pit>.next` in the folder, for this keeper alone until every descriptor of it is closed.
// Errors: as above, refused (the folder is another user's, or not closed to others), system.
[[nodiscard]] result<UniqueFd> create_state_file(const std::string& folder, const std::string& pit,
                                                 const StateGeometry& geometry);
// `<pit>.next` becomes `<pit>.state`, on the disk when this returns.   Errors: system.
[[nodiscard]] result<void> keep_state_file(const std::string& folder, const std::string& pit);
// `<pit>.next`, which is not used, goes.
void drop_state_file(const std::string& folder, const std::string& pit) noexcept;
// `<pit>.lock`: who has it is the only program that may use the files of this pit in the folder, until every descriptor
// of it is closed. For those who are no broker.   Errors: busy, refused, system.
[[nodiscard]] result<UniqueFd> lock_state_files(const std::string& folder, const std::string& pit);
// `<pit>.state`, to be read.   Errors: not_found, busy (another broker or program keeps it), system.
[[nodiscard]] result<UniqueFd> open_state_file(const std::string& folder, const std::string& pit);

class StateMemory {
 public:
  StateMemory() noexcept = default;
  StateMemory(StateMemory&&) noexcept;
  StateMemory& operator=(StateMemory&&) noexcept;
  ~StateMemory();

  // To be written by this process, of this geometry. `appends`: takes all of both journals from the system now, so that
  // append() never meets a lack of memory; else the first page of each, which is all that write_snapshot() writes
  // there. `is_synced`: sync() waits for the disk; else it does nothing. Errors: out_of_memory (also: a full disk),
  // invalid_argument (the descriptor is of another size), system.
  [[nodiscard]] static result<StateMemory> map_own(UniqueFd fd, const StateGeometry& geometry, bool is_synced,
                                                   bool appends = true);
  // Left by another process; whatever its size is.   Errors: out_of_memory, system.
  // `is_file`: its machine may have stopped in the middle of a write.
  [[nodiscard]] static result<StateMemory> map_old(UniqueFd fd, bool is_file);

  // A copy of what a living process is writing, whole at one moment: taken again until it is.   Errors: busy (it never
  // was), out_of_memory, system.
  [[nodiscard]] static result<StateMemory> copy_of_live(const UniqueFd& fd);

  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return {data_, size_}; }  // map_old: only to be read
  [[nodiscard]] bool is_file() const noexcept { return is_file_; }

  // Takes the bytes from the system, so that writing to them cannot fail.   Errors: out_of_memory.
  [[nodiscard]] result<void> reserve(std::uint64_t offset, std::uint64_t size) const noexcept;
  // Returns when everything that was written is on the disk, where that is wanted.   Errors: system.
  [[nodiscard]] result<void> sync() const noexcept;

 private:
  [[nodiscard]] static result<StateMemory> map(UniqueFd fd, std::uint64_t size, bool writable);
  UniqueFd fd_;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  bool is_file_ = false;
  bool is_synced_ = false;
};

}  // namespace symphony::detail
