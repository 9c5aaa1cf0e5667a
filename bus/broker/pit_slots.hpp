// The pits that a daemon serves, as bytes: what a reload changed must hold for the next broker too.   Layer: broker.
// Written and read by brokers of one daemon only, so the bytes are no public format, but part of its handover_version
// (next_program.hpp); they are checked all the same. Threads: pure functions; one process writes a SlotStore at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <symphony/broker.hpp>

#include "bus/broker/core_types.hpp"
#include "bus/broker/kept_file.hpp"

namespace symphony::detail::broker {

[[nodiscard]] std::vector<std::byte> encode_slots(const std::vector<PitConfig>& slots);
[[nodiscard]] std::optional<std::vector<PitConfig>> decode_slots(std::span<const std::byte> bytes);

// Of everything that a process of this pit depends on: another number is another configuration.
[[nodiscard]] std::uint64_t fingerprint(const PitConfig& pit);

struct KeptPits {
  std::vector<PitConfig> slots;
  std::vector<Probation> probations;
};
[[nodiscard]] std::vector<std::byte> encode_pits(const std::vector<PitConfig>& slots,
                                                 const std::vector<Probation>& probations);
[[nodiscard]] std::optional<KeptPits> decode_pits(std::span<const std::byte> bytes);

// Those of the last reload or swap, in a file that outlives a broker.
class SlotStore {
 public:
  [[nodiscard]] static result<SlotStore> make();
  [[nodiscard]] static SlotStore adopt(UniqueFd file) noexcept;  // that another process made
  [[nodiscard]] const UniqueFd& file() const noexcept { return file_.file(); }
  // Nothing: no reload or swap has happened yet.
  [[nodiscard]] std::optional<KeptPits> read() const;
  [[nodiscard]] result<void> write(const std::vector<PitConfig>& slots,
                                   const std::vector<Probation>& probations = {}) const;

 private:
  explicit SlotStore(KeptFile file) noexcept : file_(std::move(file)) {}
  KeptFile file_;
};

}  // namespace symphony::detail::broker
