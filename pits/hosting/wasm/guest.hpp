// One instance of a module, as a pit's instance: the native side of each call in and of each import out.
// Layer: hosting/wasm (contract).
// Invariants:
//   G1  the guest's code runs inside enter() only, and never again after a trap
//   G2  a span from the guest is used only after it was found to lie in its memory, or, to be read, in its window
//   G3  after a trap every call answers TRAPPED with the same reason; destroy() gives everything back
// Threads: one at a time, as every instance of a pit.
// Trust:   the guest is not trusted with anything but its own memory. That the generated code keeps to it is wasm2c's
//          word.
#pragma once

#include <symphony/pit.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "pits/hosting/wasm/entry.hpp"
#include "pits/hosting/wasm/input_window.hpp"
#include "pits/hosting/wasm/reservation.hpp"
#include "pits/hosting/wasm/wasm_module.hpp"

namespace symphony::pit::wasm {

class Guest {
 public:
  // The functions of the pit's entry. create() comes by way of the module's own, which names the module.
  static std::int32_t create(void* module, const symphony_host* host, symphony_span config, void** self) noexcept;
  static std::int32_t init(void* self) noexcept;
  static std::int32_t start(void* self) noexcept;
  static std::int32_t handle(void* self, const symphony_msg* message) noexcept;
  static std::int32_t drain(void* self, std::uint64_t deadline_ns) noexcept;
  static std::int32_t snapshot(void* self, std::uint32_t revision, const symphony_sink* to) noexcept;
  static std::int32_t restore(void* self, std::uint32_t revision, const symphony_source* from) noexcept;
  static std::int32_t stop(void* self) noexcept;
  static std::int32_t timer(void* self, std::uint64_t id, std::uint64_t now_ns) noexcept;
  static void destroy(void* self) noexcept;

  // Which of the optional functions the pit has (SYMPHONY_WASM_HAS_...), asked of an instance without create().
  static Outcome functions_of(const WasmModule& module, std::uint32_t& out);

  // What modules are given to call.
  [[nodiscard]] static const symphony_wasm_runtime& runtime() noexcept;

  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;
  ~Guest();

 private:
  struct Imports;
  using Instance = Z_pit_instance_t;

  Guest(const WasmModule& module, const symphony_host& host, const WasmLimits& limits) noexcept;
  [[nodiscard]] static Guest& of(void* self) noexcept { return *static_cast<Guest*>(self); }

  std::int32_t instantiate() noexcept;
  std::int32_t begin(symphony_span config) noexcept;
  template <class Call>
  std::int32_t run(std::string_view step, Call&& call) noexcept;
  std::int32_t die(Trap trap, std::string_view step, const Activation& at) noexcept;
  std::int32_t bring_in(symphony_span bytes, std::string_view step, std::uint32_t& at) noexcept;
  std::int32_t copy_in(symphony_span bytes, std::string_view step, std::uint32_t& at) noexcept;
  void explain(std::string_view text) const noexcept;

  [[nodiscard]] std::byte* memory() const noexcept { return reservation_.base(); }
  [[nodiscard]] bool contains(std::uint32_t p, std::uint32_t n) const noexcept {
    return std::uint64_t{p} + n <= memory_->size;
  }
  // What it may read is more: the window too.
  [[nodiscard]] bool sees(std::uint32_t p, std::uint32_t n) const noexcept {
    return contains(p, n) || (limits_.window != nullptr && limits_.window->contains(p, n));
  }

  const WasmModule& module_;
  const symphony_wasm_module& table_;
  const symphony_host& host_;
  const WasmLimits limits_;
  Reservation reservation_;
  Instance* instance_ = nullptr;
  const symphony_wasm_memory* memory_ = nullptr;  // inside *instance_
  std::uint32_t buffer_ = 0;                      // the guest's input buffer
  std::uint32_t buffer_size_ = 0;
  bool trapped_ = false;

  // Of the call that is inside the guest.
  symphony_mut_span claimed_{};
  const symphony_sink* sink_ = nullptr;
  const symphony_source* source_ = nullptr;
  std::size_t said_size_ = 0;
  std::array<char, 256> said_;  // what it said before it trapped, if anything

  std::size_t reason_size_ = 0;
  std::array<char, SYMPHONY_ERROR_TEXT_MAX> reason_;  // of the trap
};

}  // namespace symphony::pit::wasm
