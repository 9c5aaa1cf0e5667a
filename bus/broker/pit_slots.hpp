// The pits that a daemon serves, as bytes: what a reload changed must hold for the next broker too.   Layer: broker.
// Written and read by brokers of the same program only, so the bytes are no public format; they are checked all the
// same. Threads: pure functions; one process writes a SlotStore at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <symphony/broker.hpp>

#include "bus/broker/kept_file.hpp"

namespace symphony::detail::broker {

[[nodiscard]] std::vector<std::byte> encode_slots(const std::vector<PitConfig>& slots);
[[nodiscard]] std::optional<std::vector<PitConfig>> decode_slots(std::span<const std::byte> bytes);

// Of everything that a process of this pit depends on: another number is another configuration.
[[nodiscard]] std::uint64_t fingerprint(const PitConfig& pit);

// Those of the last reload, in a file that outlives a broker.
class SlotStore {
 public:
  [[nodiscard]] static result<SlotStore> make();
  // Nothing: no reload has happened yet.
  [[nodiscard]] std::optional<std::vector<PitConfig>> read() const;
  [[nodiscard]] result<void> write(const std::vector<PitConfig>& slots) const;

 private:
  explicit SlotStore(KeptFile file) noexcept : file_(std::move(file)) {}
  KeptFile file_;
};

}  // namespace symphony::detail::broker
