// Modes static, dynamic and wasm: the pit runs in this process.
#include <algorithm>
#include <type_traits>
#include <utility>

#include "pits/hosting/dynamic/dynamic_host.hpp"
#include "pits/hosting/dynamic/library.hpp"
#include "pits/hosting/process/python.hpp"
#include "pits/hosting/static/static_host.hpp"
#include "pits/hosting/wasm/wasm_host.hpp"
#include "pits/hosting/wasm/wasm_module.hpp"
#include "pits/hosting/wasm/watchdog.hpp"
#include "tools/pit_check/between.hpp"
#include "tools/pit_check/modes.hpp"

namespace symphony::pit_check {
namespace {

using pit::Outcome;

// Of a call into a pit that can be interrupted: more than any call takes, also under a sanitizer on a busy machine, and
// less than a case may take, so that the trap names what hangs.
constexpr TimeNs guest_budget_ns = 10 * second_ns;

template <class HostOfMode>
class InProcessPit final : public Mounted {
 public:
  [[nodiscard]] pit::Host& host() noexcept override { return *made; }
  Outcome kill() override {
    if constexpr (std::is_same_v<HostOfMode, pit::WasmHost>) {
      return pit::wasm::interrupt_guests() > 0 ? Outcome{} : Outcome{SYMPHONY_BAD_STATE, "it is in no call"};
    }
    return Mounted::kill();
  }
  std::unique_ptr<HostOfMode> made;
};

// Mounts by way of the mode's own host.
template <class HostOfMode, class From, class Options>
Outcome mount_by(const From& from, const Options& options, std::unique_ptr<Mounted>& out) {
  auto mounted = std::make_unique<InProcessPit<HostOfMode>>();
  Outcome outcome = HostOfMode::mount(from, options, mounted->made);
  if (outcome.ok()) out = std::move(mounted);
  return outcome;
}

class StaticStage final : public Stage {
 public:
  StaticStage(const pit::PitFile& file, const symphony_pit_entry& entry) : Stage(file), entry_(entry) {}
  [[nodiscard]] std::string_view mode() const noexcept override { return "static"; }
  [[nodiscard]] std::string_view symbol() const noexcept override { return {}; }
  [[nodiscard]] bool has_instances() const noexcept override { return true; }
  Outcome make_instance(const pit::InstanceOptions& options, std::unique_ptr<pit::Instance>& out) override {
    return pit::Instance::make(Between::of_this_process().show(entry_), options, out);
  }
  Outcome mount(pit::LogSink* log, std::unique_ptr<Mounted>& out) override {
    return mount_by<pit::StaticHost>(entry_, pit::InProcessOptions{.log = log}, out);
  }

 private:
  const symphony_pit_entry& entry_;
};

class DynamicStage final : public Stage {
 public:
  using Stage::Stage;
  [[nodiscard]] std::string_view mode() const noexcept override { return "dynamic"; }
  [[nodiscard]] bool has_instances() const noexcept override { return true; }
  Outcome make_instance(const pit::InstanceOptions& options, std::unique_ptr<pit::Instance>& out) override {
    if (library_ == nullptr) {
      if (Outcome loaded = pit::PitLibrary::load(file(), library_); !loaded.ok()) return loaded;
    }
    return pit::Instance::make(Between::of_this_process().show(library_->entry()), options, out);
  }
  Outcome mount(pit::LogSink* log, std::unique_ptr<Mounted>& out) override {
    return mount_by<pit::DynamicHost>(file(), pit::InProcessOptions{.log = log}, out);
  }

 private:
  std::shared_ptr<const pit::PitLibrary> library_;
};

class WasmStage final : public Stage {
 public:
  // `file` is the pit's form for this mode.
  WasmStage(const pit::PitFile& given, pit::PitFile file, std::uint32_t budget_ms)
      : Stage(given), file_(std::move(file)), limits_{budget_ms, pit::wasm::WasmLimits{}.instances_max} {}
  [[nodiscard]] const pit::PitFile& file() const noexcept override { return file_; }
  [[nodiscard]] std::string_view mode() const noexcept override { return "wasm"; }
  [[nodiscard]] std::string_view symbol() const noexcept override { return SYMPHONY_WASM_MODULE_SYMBOL; }
  [[nodiscard]] bool has_instances() const noexcept override { return true; }
  [[nodiscard]] bool can_trap() const noexcept override { return true; }
  Outcome make_instance(const pit::InstanceOptions& options, std::unique_ptr<pit::Instance>& out) override {
    if (Outcome ready = prepare(); !ready.ok()) return ready;
    if (module_ == nullptr) {
      if (Outcome loaded = pit::wasm::WasmModule::load(file_.path, module_); !loaded.ok()) return loaded;
    }
    pit::InstanceOptions with_limits = options;
    with_limits.extensions = {&limits_extension_, 1};
    return pit::Instance::make(Between::of_this_process().show(module_->entry()), with_limits, out);
  }
  Outcome mount(pit::LogSink* log, std::unique_ptr<Mounted>& out) override {
    if (Outcome ready = prepare(); !ready.ok()) return ready;
    pit::WasmOptions options;
    options.log = log;
    options.budget_ms = limits_.budget_ms;
    return mount_by<pit::WasmHost>(file_.path, options, out);
  }

 private:
  // The watchdog's thread stays from the first instance to the last, so that no case takes it for one of the pit's.
  Outcome prepare() {
    if (watchdog_ == nullptr) watchdog_ = pit::wasm::Watchdog::shared();
    return watchdog_ != nullptr ? Outcome{} : Outcome{SYMPHONY_OVERLOADED, "no thread for the watchdog"};
  }

  const pit::PitFile file_;
  const pit::wasm::WasmLimits limits_;
  const pit::Extension limits_extension_{pit::wasm::wasm_limits_extension, &limits_};
  std::shared_ptr<pit::wasm::Watchdog> watchdog_;
  const pit::wasm::WasmModule* module_ = nullptr;
};

// NAME_wasm.so for NAME.so; the path itself where it is that already.
std::string path_of_wasm_form(const pit::PitFile& file) {
  constexpr std::string_view suffix = ".so";
  if (is_wasm_form(file) || !file.path.ends_with(suffix)) return file.path;
  return file.path.substr(0, file.path.size() - suffix.size()) + "_wasm.so";
}

}  // namespace

std::string make_static(const Subject& subject, std::unique_ptr<Stage>& out) {
  if (subject.linked == nullptr) {
    return "no file is linked in: it is the code that mode dynamic loads; to run it linked in, link symphony_static_" +
           subject.file.notes[0].info.name + " into a program";
  }
  out = std::make_unique<StaticStage>(subject.file, *subject.linked);
  return {};
}

std::string make_dynamic(const Subject& subject, std::unique_ptr<Stage>& out) {
  if (std::string why = not_native(subject.file); !why.empty()) return why;
  out = std::make_unique<DynamicStage>(subject.file);
  return {};
}

std::string make_wasm(const Subject& subject, std::unique_ptr<Stage>& out) {
  if (pit::is_python_pit(subject.file.path)) return not_native(subject.file);
  const std::string path = path_of_wasm_form(subject.file);
  pit::PitFile file;
  if (const Outcome read = pit::read_pit_file(path, file); !read.ok()) {
    if (read.status != SYMPHONY_UNREACHABLE) return read.text;
    return "there is no " + path + ": symphony_add_pit makes it where WebAssembly pits can be built";
  }
  if (!is_wasm_form(file) || file.notes.size() != 1) {
    return path + " is no pit compiled by way of WebAssembly: name the .so that symphony_add_pit makes";
  }
  if (file.notes[0].info.name != subject.file.notes[0].info.name) {
    return path + " is pit " + file.notes[0].info.name + ": put the form of " + subject.file.notes[0].info.name +
           " there";
  }
  const TimeNs budget_ns =
      subject.time_limit_ns > 0 ? std::min(guest_budget_ns, subject.time_limit_ns / 4) : guest_budget_ns;
  out = std::make_unique<WasmStage>(subject.file, std::move(file), static_cast<std::uint32_t>(budget_ns / ms_ns));
  return {};
}

}  // namespace symphony::pit_check
