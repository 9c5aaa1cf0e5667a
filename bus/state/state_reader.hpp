// The reading end of what a dead pit left: its newest whole generation.   Layer: state.
//
// Everything read is checked before it is used: the writer may have died anywhere, and its memory may be a file that
// somebody cut or a disk damaged. What is damaged is never half used:
//   - a snapshot whose checksum fails: the generation before it, with its whole journal, then the journal of the newer
//   - a record whose header or checksum fails: damage, unless `torn_end` allows for it and nothing whole stands behind
//     it: then it was being written when the machine stopped, and nobody was told of it
// Threads: one; the writer is dead. Lifetime: spans point into the memory.   Format: docs/formats/state.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "bus/ring/mem.hpp"
#include "bus/state/checksum.hpp"
#include "bus/state/layout.hpp"

namespace symphony::detail {

enum class StateFound : std::uint8_t {
  nothing,   // no generation was completed: the pit begins anew
  whole,     // the newest generation
  previous,  // the newest snapshot is damaged; the one before it, and both journals
  foreign,   // not our layout, another revision, or cut short
  damaged,   // nothing that could be believed
};

template <class Mem>
class StateReader {
 public:
  explicit StateReader(std::span<const std::byte> memory, bool torn_end = false, Mem mem = {}) noexcept
      : mem_(mem), memory_(memory), torn_end_(torn_end) {
    found_ = look();
  }

  [[nodiscard]] StateFound found() const noexcept { return found_; }
  // Of whole and previous.
  [[nodiscard]] std::span<const std::byte> snapshot() const noexcept { return snapshot_; }

  // The next record since that snapshot, in the order of append(); nothing at the end. After the last one `damaged()`
  // says whether it was the end.
  [[nodiscard]] std::optional<std::span<const std::byte>> next() noexcept {
    for (;;) {
      const Seen seen = look_at(reading_, at_);
      if (seen.kind == Seen::Kind::record) {
        at_ += journal_stride(seen.bytes.size());
        return seen.bytes;
      }
      if (seen.kind == Seen::Kind::damage && !(torn_end_ && reading_ == newest_ && is_last(at_))) damaged_ = true;
      if (damaged_ || reading_ == newest_) return std::nullopt;
      ++reading_;  // from the previous generation's journal to the newest one's
      at_ = 0;
    }
  }
  [[nodiscard]] bool damaged() const noexcept { return damaged_; }

 private:
  struct Seen {
    enum class Kind : std::uint8_t { end, record, damage } kind = Kind::end;
    std::span<const std::byte> bytes{};
  };

  StateFound look() noexcept {
    StateIdentity identity;
    if (memory_.size() < state_page) return StateFound::foreign;
    mem_.copy_out(&identity, memory_.data(), sizeof identity);
    if (identity.magic == 0) return StateFound::nothing;  // its writer died before it began
    if (identity.magic != state_magic || identity.revision != state_revision) return StateFound::foreign;
    if (!is_state_geometry(identity.geometry) || state_size(identity.geometry) > memory_.size()) {
      return StateFound::foreign;
    }
    geometry_ = identity.geometry;
    // sync state.generation acquire: what the generation consists of was stored before its number
    const auto current = mem_.template load<Order::acquire, Site::generation>(
        reinterpret_cast<const std::uint64_t*>(memory_.data() + state_current_offset));
    if (current == 0) return StateFound::nothing;
    newest_ = static_cast<std::uint32_t>(current);
    if (newest_ == 0 || current != current_word(newest_)) return StateFound::damaged;
    for (const std::uint32_t generation : {newest_, newest_ - 1}) {
      if (generation == 0 || !take(generation)) continue;
      reading_ = generation;
      return generation == newest_ ? StateFound::whole : StateFound::previous;
    }
    return StateFound::damaged;
  }

  bool take(std::uint32_t generation) noexcept {
    StateDescriptor descriptor;
    mem_.copy_out(&descriptor, memory_.data() + state_descriptor_offset(generation), sizeof descriptor);
    if (descriptor.generation != generation || descriptor.size > geometry_.snapshot_capacity) return false;
    snapshot_ = memory_.subspan(state_snapshot_offset(geometry_, generation), descriptor.size);
    return Checksum(generation, descriptor.size).add(snapshot_).value() == descriptor.checksum;
  }

  [[nodiscard]] Seen look_at(std::uint32_t generation, std::uint64_t at) const noexcept {
    const auto journal = memory_.subspan(state_journal_offset(geometry_, generation), geometry_.journal_capacity);
    if (journal.size() - at < sizeof(std::uint64_t)) return {};
    // sync state.record acquire: the record was stored before its header
    const auto header =
        mem_.template load<Order::acquire, Site::journal>(reinterpret_cast<const std::uint64_t*>(journal.data() + at));
    if (header == 0) return {};
    const auto size = static_cast<std::uint32_t>(header);
    const auto damage = Seen{Seen::Kind::damage, {}};
    if (size == 0 || size > journal_record_size_max || header != journal_header(generation, at, size)) return damage;
    if (journal_stride(size) > journal.size() - at) return damage;
    std::uint64_t sum = 0;
    mem_.copy_out(&sum, journal.data() + at + sizeof header, sizeof sum);
    const auto bytes = journal.subspan(at + journal_head_size, size);
    if (Checksum(record_place(generation, at), size).add(bytes).value() != sum) return damage;
    return {Seen::Kind::record, bytes};
  }

  // Whether no whole record of the newest journal stands behind `at`.
  [[nodiscard]] bool is_last(std::uint64_t at) const noexcept {
    for (at += sizeof(std::uint64_t); at + journal_head_size < geometry_.journal_capacity; at += 8) {
      if (look_at(newest_, at).kind == Seen::Kind::record) return false;
    }
    return true;
  }

  [[no_unique_address]] Mem mem_;
  std::span<const std::byte> memory_;
  std::span<const std::byte> snapshot_;
  StateGeometry geometry_;
  std::uint32_t newest_ = 0;
  std::uint32_t reading_ = 0;
  std::uint64_t at_ = 0;
  StateFound found_ = StateFound::nothing;
  const bool torn_end_;
  bool damaged_ = false;
};

}  // namespace symphony::detail
