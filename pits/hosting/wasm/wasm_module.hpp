// A pit that was compiled to WebAssembly and from there to a shared object, ready to make instances of.
// Layer: hosting/wasm (contract).
// Its entry is an ordinary symphony_pit_entry, so that everything that runs pits runs these. The functions that the pit
// left out are null in it, as its note says.
// Lifetime: a loaded library stays loaded, and its WasmModule stays with it.
// Threads:  any.
#pragma once

#include <symphony/pit.h>

#include <span>
#include <string>
#include <symphony/message_type.hpp>
#include <utility>
#include <vector>

#include "pits/hosting/pit_file.hpp"
#include "pits/hosting/resident_object.hpp"
#include "pits/hosting/wasm/entry.hpp"
#include "pits/hosting/wasm/module_table.h"

namespace symphony::pit::wasm {

class WasmModule {
 public:
  // Reads and checks the file at `path`, loads it or finds it loaded, and checks the module in it: imports, exports,
  // memory, note. Another file at that path later is another module.
  static Outcome load(const std::string& path, const WasmModule*& out);
  WasmModule(const WasmModule&) = delete;
  WasmModule& operator=(const WasmModule&) = delete;

  [[nodiscard]] const symphony_pit_entry& entry() const noexcept { return entry_; }
  // The bytes of the WebAssembly module that the object was made from.
  [[nodiscard]] std::span<const std::byte> wasm() const noexcept;

  [[nodiscard]] const symphony_wasm_module& table() const noexcept { return table_; }
  [[nodiscard]] TextRange text() const noexcept { return text_; }

 private:
  friend struct LoadedModules;
  WasmModule(ResidentObject object, const symphony_wasm_module& table, PitInfo info)
      : object_(std::move(object)), table_(table), info_(std::move(info)) {}
  Outcome check();
  Outcome make_entry();

  const ResidentObject object_;
  const symphony_wasm_module& table_;
  const PitInfo info_;  // as the file's note says
  TextRange text_;
  std::vector<const char*> needs_;
  symphony_note note_{};
  symphony_pit_entry entry_{};
};

class InputWindow;

// How an instance is kept in bounds, and what it is shown. A host offers it to create() as an extension; without one
// these are the values.
struct WasmLimits {
  std::uint32_t budget_ms = 0;           // of each call into the guest, by the watchdog; 0: none
  std::uint32_t instances_max = 12'000;  // alive in this process; about 16,000 fit into its address space
  const InputWindow* window = nullptr;   // to outlive the instance; null: every message is copied
};
inline constexpr std::uint64_t wasm_limits_extension = message_type("symphony.wasm.Limits");

// Instances alive in this process.
[[nodiscard]] std::uint32_t wasm_instances() noexcept;

}  // namespace symphony::pit::wasm
