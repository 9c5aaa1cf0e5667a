#include "pits/hosting/wasm/wasm_host.hpp"

#include <utility>
#include <vector>

#include "pits/hosting/wasm/input_window.hpp"
#include "pits/hosting/wasm/wasm_module.hpp"
#include "pits/hosting/wasm/watchdog.hpp"

namespace symphony::pit {
namespace {

class CompiledGuests final : public InstanceFactory {
 public:
  CompiledGuests(const wasm::WasmModule& module, const WasmOptions& options, std::shared_ptr<wasm::Watchdog> watchdog,
                 std::shared_ptr<const wasm::InputWindow> window)
      : module_(module),
        window_(std::move(window)),
        limits_{options.budget_ms, options.instances_max, window_.get()},
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
  const std::shared_ptr<const wasm::InputWindow> window_;  // null: none
  const wasm::WasmLimits limits_;
  std::vector<Extension> extensions_;
  const std::shared_ptr<wasm::Watchdog> watchdog_;  // null: no budget
};

}  // namespace

WasmHost::WasmHost(std::shared_ptr<InProcessCore> core, std::shared_ptr<const wasm::InputWindow> window) noexcept
    : InProcessHost(std::move(core)), window_(std::move(window)) {}

std::span<std::byte> WasmHost::input_window() const noexcept {
  return window_ != nullptr ? window_->bytes() : std::span<std::byte>();
}

Outcome WasmHost::mount(const std::string& path, const WasmOptions& options, std::unique_ptr<WasmHost>& out) {
  const wasm::WasmModule* module = nullptr;
  if (Outcome o = wasm::WasmModule::load(path, module); !o.ok()) return o;
  std::shared_ptr<wasm::Watchdog> watchdog;
  if (options.budget_ms != 0 && (watchdog = wasm::Watchdog::shared()) == nullptr) {
    return {SYMPHONY_OVERLOADED, "no thread for the watchdog of WebAssembly pits: end some threads, or set no budget"};
  }
  std::shared_ptr<const wasm::InputWindow> window;
  if (options.window_size != 0) {
    if (Outcome o = wasm::InputWindow::make(options.window_size, window); !o.ok()) return o;
  }
  std::shared_ptr<InProcessCore> core;
  auto factory = std::make_unique<CompiledGuests>(*module, options, std::move(watchdog), window);
  if (Outcome o = begin("wasm", std::move(factory), options, core); !o.ok()) return o;
  out.reset(new WasmHost(std::move(core), std::move(window)));
  return {};
}

}  // namespace symphony::pit
