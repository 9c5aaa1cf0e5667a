// A pit compiled by way of WebAssembly, run in this process on its callers' own threads.   Layer: hosting/wasm
// (contract, bus/base).
// Whatever the pit does ends as a status of the call that it was in: TRAPPED, and its reason. The next call finds a new
// instance with the state that was last kept (InProcessOptions::checkpoint_after); where that one cannot be started,
// calls are refused with the reason until restore() brings a good state.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "pits/hosting/in_process_host.hpp"

namespace symphony::pit {
namespace wasm {
class InputWindow;
}  // namespace wasm

struct WasmOptions : InProcessOptions {
  // Of each call into the pit, its life cycle included: longer ones are interrupted, and trap. 0: none.
  std::uint32_t budget_ms = 0;
  // Instances alive in this process, over all hosts; more are refused. 8 GiB of address space each.
  std::uint32_t instances_max = 12'000;
  // Of input_window(), in bytes, up to wasm::InputWindow::size_max; 0: none, every message is copied.
  std::uint32_t window_size = 0;
};

class WasmHost final : public InProcessHost {
 public:
  // Loads the shared object at `path` (symphony_wasm_module() builds them), makes an instance, restores it if asked to,
  // and starts it. On success `out` is RUNNING. The code stays loaded.
  static Outcome mount(const std::string& path, const WasmOptions& options, std::unique_ptr<WasmHost>& out);

  [[nodiscard]] std::span<std::byte> input_window() const noexcept override;

 private:
  WasmHost(std::shared_ptr<InProcessCore> core, std::shared_ptr<const wasm::InputWindow> window) noexcept;

  const std::shared_ptr<const wasm::InputWindow> window_;  // may be null
};

}  // namespace symphony::pit
