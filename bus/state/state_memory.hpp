// The memory that outlives a pit: a memfd that the keeper holds, or a file.   Layer: state.
// Threads: one. Lifetime: the mapping is this object's; the memory is as old as its descriptors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <symphony/result.hpp>
#include <symphony/unique_fd.hpp>

#include "bus/state/layout.hpp"

namespace symphony::detail {

// New memory of this geometry, all zero, without a name and without a page of its own yet.
// Errors: invalid_argument, out_of_descriptors, out_of_memory.
[[nodiscard]] result<UniqueFd> create_state_memory(const StateGeometry& geometry);

class StateMemory {
 public:
  StateMemory() noexcept = default;
  StateMemory(StateMemory&&) noexcept;
  StateMemory& operator=(StateMemory&&) noexcept;
  ~StateMemory();

  // To be written by this process, of this geometry; takes all of both journals from the system now, so that append()
  // never meets a lack of memory. `is_file`: sync() makes what was written last over a loss of power.
  // Errors: out_of_memory (also: a full disk), invalid_argument (the descriptor is of another size), system.
  [[nodiscard]] static result<StateMemory> map_own(UniqueFd fd, const StateGeometry& geometry, bool is_file);
  // Left by another process; whatever its size is.   Errors: out_of_memory, system.
  [[nodiscard]] static result<StateMemory> map_old(UniqueFd fd, bool is_file);

  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return {data_, size_}; }  // map_old: only to be read
  [[nodiscard]] bool is_file() const noexcept { return is_file_; }

  // Takes the bytes from the system, so that writing to them cannot fail.   Errors: out_of_memory.
  [[nodiscard]] result<void> reserve(std::uint64_t offset, std::uint64_t size) const noexcept;
  // Of a file: returns when everything that was written is on the disk. Of memory: at once.   Errors: system.
  [[nodiscard]] result<void> sync() const noexcept;

 private:
  [[nodiscard]] static result<StateMemory> map(UniqueFd fd, std::uint64_t size, bool writable, bool is_file);
  UniqueFd fd_;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  bool is_file_ = false;
};

}  // namespace symphony::detail
