#include "pits/hosting/wasm/wasm_host.hpp"

#include <utility>
#include <vector>

#include "pits/hosting/wasm/wasm_module.hpp"
#include "pits/hosting/wasm/watchdog.hpp"

namespace symphony::pit {
namespace {

class CompiledGuests final : public InstanceFactory {
 public:
  CompiledGuests(const wasm::WasmModule& module, const WasmOptions& options, std::shared_ptr<wasm::Watchdog> watchdog)
      : module_(module),
        limits_{options.budget_ms, options.instances_max},
        extensions_(options.extensions.begin(), options.extensions.end()),
        watchdog_(std::move(watchdog)) {
    extensions_.push_back({wasm::wasm_limits_extension, &limits_});
  }
  Outcome make(const InstanceOptions& options, std::unique_ptr<Instance>& out) override {
    InstanceOptions with_limits = options;
    with_limits.extensions = extensions_;
    return Instance::make(module_.entry(), with_limits, out);
  }
  [[nodiscard]] bool can_trap() const noexcept override { return true; }

 private:
  const wasm::WasmModule& module_;
  const wasm::WasmLimits limits_;
  std::vector<Extension> extensions_;
  const std::shared_ptr<wasm::Watchdog> watchdog_;  // null: no budget
};

}  // namespace

Outcome WasmHost::mount(const std::string& path, const WasmOptions& options, std::unique_ptr<WasmHost>& out) {
  const wasm::WasmModule* module = nullptr;
  if (Outcome o = wasm::WasmModule::load(path, module); !o.ok()) return o;
  std::shared_ptr<wasm::Watchdog> watchdog;
  if (options.budget_ms != 0 && (watchdog = wasm::Watchdog::shared()) == nullptr) {
    return {SYMPHONY_OVERLOADED, "no thread for the watchdog of WebAssembly pits: end some threads, or set no budget"};
  }
  std::shared_ptr<InProcessCore> core;
  auto factory = std::make_unique<CompiledGuests>(*module, options, std::move(watchdog));
  if (Outcome o = begin("wasm", std::move(factory), options, core); !o.ok()) return o;
  out.reset(new WasmHost(std::move(core)));
  return {};
}

}  // namespace symphony::pit
