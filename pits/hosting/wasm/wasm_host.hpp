// A pit compiled by way of WebAssembly, run in this process on its callers' own threads.   Layer: hosting/wasm
// (contract, bus/base).
// Whatever the pit does ends as a status of the call that it was in: TRAPPED, and its reason. The next call finds a new
// instance with the state that was last kept (InProcessOptions::checkpoint_after); where that one cannot be started,
// calls are refused with the reason until restore() brings a good state.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "pits/hosting/in_process_host.hpp"

namespace symphony::pit {

struct WasmOptions : InProcessOptions {
  // Of each call into the pit, its life cycle included: longer ones are interrupted, and trap. 0: none.
  std::uint32_t budget_ms = 0;
  // Instances alive in this process, over all hosts; more are refused. 8 GiB of address space each.
  std::uint32_t instances_max = 12'000;
};

class WasmHost final : public InProcessHost {
 public:
  // Loads the shared object at `path` (symphony_wasm_module() builds them), makes an instance, restores it if asked to,
  // and starts it. On success `out` is RUNNING. The code stays loaded.
  static Outcome mount(const std::string& path, const WasmOptions& options, std::unique_ptr<WasmHost>& out);

 private:
  using InProcessHost::InProcessHost;
};

}  // namespace symphony::pit
