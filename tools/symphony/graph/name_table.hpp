// Finds names fast: an open-addressing table of positions. The table keeps views, so the bytes of the names must
// outlive it.   Layer: tools. Threads: one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace symphony::tools {

class NameTable {
 public:
  static constexpr std::uint32_t none = UINT32_MAX;

  struct Added {
    std::uint32_t index;  // of the name, new or not
    bool is_new;
  };

  // Room for `count` names without growing.
  explicit NameTable(std::size_t count = 0) {
    std::size_t size = 64;
    while (size < count * 2) size *= 2;
    slots_.resize(size);
    names_.reserve(count);
  }

  [[nodiscard]] std::size_t size() const noexcept { return names_.size(); }
  [[nodiscard]] std::string_view operator[](std::uint32_t index) const noexcept { return names_[index]; }

  // The position of `name` in the order of adding, or none.
  [[nodiscard]] std::uint32_t find(std::string_view name) const noexcept {
    const std::uint32_t hash = hash_of(name);
    for (std::size_t at = hash & mask();; at = (at + 1) & mask()) {
      const Slot& slot = slots_[at];
      if (slot.used == 0) return none;
      if (slot.hash == hash && names_[slot.used - 1] == name) return slot.used - 1;
    }
  }

  // Precondition: fewer than 2^32 - 1 names.
  Added add(std::string_view name) {
    if ((names_.size() + 1) * 2 > slots_.size()) grow();
    const std::uint32_t hash = hash_of(name);
    std::size_t at = hash & mask();
    for (; slots_[at].used != 0; at = (at + 1) & mask()) {
      if (slots_[at].hash == hash && names_[slots_[at].used - 1] == name) return {slots_[at].used - 1, false};
    }
    names_.push_back(name);
    slots_[at] = {hash, static_cast<std::uint32_t>(names_.size())};
    return {static_cast<std::uint32_t>(names_.size() - 1), true};
  }

 private:
  struct Slot {
    std::uint32_t hash = 0;
    std::uint32_t used = 0;  // position + 1; 0 is an empty slot
  };

  static std::uint32_t hash_of(std::string_view name) noexcept {
    return static_cast<std::uint32_t>(std::hash<std::string_view>{}(name));
  }
  [[nodiscard]] std::size_t mask() const noexcept { return slots_.size() - 1; }

  void grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.used == 0) continue;
      std::size_t at = slot.hash & mask();
      while (slots_[at].used != 0) at = (at + 1) & mask();
      slots_[at] = slot;
    }
  }

  std::vector<Slot> slots_;  // a power of two, at most half used
  std::vector<std::string_view> names_;
};

}  // namespace symphony::tools
