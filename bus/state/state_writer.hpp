// The writing end of what outlives a pit: snapshots in turn into two halves, and a journal behind each.   Layer: state.
//
// Invariants, after every store:
//   S1  `current` names a generation whose snapshot and journal, up to the first 0, are whole; or it is 0
//   S2  a snapshot is written into the half that `current` does not name; one store makes it the current one
//   S3  a journal record is behind its header before the header is stored
// So a process that dies at any instruction leaves the generation before or the one after, and whole records.
// Threads: one. No call blocks or allocates.
// Trust: nothing is read back; memory is only written.   Format: docs/formats/state.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "bus/base/check.hpp"
#include "bus/ring/mem.hpp"
#include "bus/state/checksum.hpp"
#include "bus/state/layout.hpp"

namespace symphony::detail {

template <class Mem>
class StateWriter {
 public:
  // Precondition: state_size(geometry) bytes at `base`, 8-byte aligned, all zero.
  StateWriter(std::byte* base, const StateGeometry& geometry, Mem mem = {}) noexcept
      : mem_(mem), base_(base), geometry_(geometry) {
    SYMPHONY_CHECK(is_state_geometry(geometry));
    const StateIdentity identity{state_magic, state_revision, geometry};
    mem_.copy_in(base_, &identity, sizeof identity);
  }

  // The next generation, above every one before, with an empty journal. False: the snapshot is larger than its room,
  // and nothing has changed.
  [[nodiscard]] bool write_snapshot(std::span<const std::byte> bytes) noexcept {
    if (bytes.size() > geometry_.snapshot_capacity) return false;
    const std::uint32_t next = generation_ + 1;
    if (!bytes.empty()) mem_.copy_in(base_ + state_snapshot_offset(geometry_, next), bytes.data(), bytes.size());
    const StateDescriptor descriptor{next, bytes.size(), Checksum(next, bytes.size()).add(bytes).value()};
    mem_.copy_in(base_ + state_descriptor_offset(next), &descriptor, sizeof descriptor);
    // sync state.record release: an empty journal before the generation that it belongs to
    mem_.template store<Order::release, Site::journal_next>(journal_word(next, 0), std::uint64_t{0});
    // sync state.generation release: all of the above before whoever finds this number reads it
    mem_.template store<Order::release, Site::generation>(
        reinterpret_cast<std::uint64_t*>(base_ + state_current_offset), current_word(next));
    generation_ = next;
    end_ = 0;
    return true;
  }

  // Whether append() of so many bytes succeeds.
  [[nodiscard]] bool has_room(std::uint64_t size) const noexcept { return generation_ != 0 && fits(size, end_); }
  // The same right after the next snapshot.
  [[nodiscard]] bool has_room_when_empty(std::uint64_t size) const noexcept { return fits(size, 0); }
  // One record: head, a multiple of 8 bytes and not empty, then body. Returns when it has been committed. Precondition:
  // has_room(both).
  void append(std::span<const std::byte> head, std::span<const std::byte> body) noexcept {
    const std::uint64_t size = head.size() + body.size();
    SYMPHONY_CHECK(!head.empty() && head.size() % 8 == 0 && has_room(size));
    std::byte* const record = base_ + state_journal_offset(geometry_, generation_) + end_;
    const std::uint64_t sum = Checksum(record_place(generation_, end_), size).add(head).add(body).value();
    mem_.copy_in(record + sizeof(std::uint64_t), &sum, sizeof sum);
    mem_.copy_in(record + journal_head_size, head.data(), head.size());
    if (!body.empty()) mem_.copy_in(record + journal_head_size + head.size(), body.data(), body.size());
    const std::uint64_t next = end_ + journal_stride(size);
    // sync state.record release: the end behind the record before the record
    mem_.template store<Order::release, Site::journal_next>(journal_word(generation_, next), std::uint64_t{0});
    // sync state.record release: the record before its header
    mem_.template store<Order::release, Site::journal>(
        journal_word(generation_, end_), journal_header(generation_, end_, static_cast<std::uint32_t>(size)));
    end_ = next;
  }

  [[nodiscard]] std::uint32_t generation() const noexcept { return generation_; }
  [[nodiscard]] const StateGeometry& geometry() const noexcept { return geometry_; }

 private:
  [[nodiscard]] bool fits(std::uint64_t size, std::uint64_t at) const noexcept {
    return size <= journal_record_size_max &&
           journal_stride(size) + sizeof(std::uint64_t) <= geometry_.journal_capacity - at;
  }
  [[nodiscard]] std::uint64_t* journal_word(std::uint64_t generation, std::uint64_t offset) const noexcept {
    return reinterpret_cast<std::uint64_t*>(base_ + state_journal_offset(geometry_, generation) + offset);
  }

  [[no_unique_address]] Mem mem_;
  std::byte* base_;
  StateGeometry geometry_;
  std::uint32_t generation_ = 0;
  std::uint64_t end_ = 0;
};

}  // namespace symphony::detail
