#include "pits/hosting/wasm/wasm_module.hpp"

#include <algorithm>
#include <memory>
#include <mutex>
#include <new>
#include <string_view>

#include "pits/hosting/wasm/guest.hpp"
#include "pits/hosting/wasm/sections.hpp"

namespace symphony::pit::wasm {
namespace {

Outcome bad(const std::string& path, const std::string& what) { return {SYMPHONY_BAD_MESSAGE, path + ": " + what}; }

Outcome check_loadable(const PitFile& file) {
  const auto is_table = [](const ElfSymbol& symbol) { return symbol.name == SYMPHONY_WASM_MODULE_SYMBOL; };
  if (!file.elf.shared_object || std::none_of(file.elf.exported.begin(), file.elf.exported.end(), is_table)) {
    return bad(file.path, "no pit compiled by way of WebAssembly: name the _wasm.so that symphony_add_pit makes");
  }
  if (file.notes.size() != 1) return bad(file.path, "it holds more than one pit: build one shared object a pit");
  return {};
}

}  // namespace

// Of this process. Never destroyed, as nothing in it is ever unloaded.
struct LoadedModules {
  std::mutex mutex;
  std::vector<std::unique_ptr<WasmModule>> modules;

  static LoadedModules& of_process() {
    static auto* all = new LoadedModules;
    return *all;
  }

  Outcome load(const PitFile& file, const WasmModule*& out) {
    const std::lock_guard lock(mutex);
    for (const auto& module : modules) {
      if (module->object_.holds(file.bytes)) {
        out = module.get();
        return {};
      }
    }
    if (Outcome o = check_loadable(file); !o.ok()) return o;
    modules.reserve(modules.size() + 1);  // so that nothing can fail once it is attached
    ResidentObject object;
    if (Outcome o = load_resident(file, object); !o.ok()) return o;
    const void* symbol = object.symbol(SYMPHONY_WASM_MODULE_SYMBOL);
    if (symbol == nullptr) return bad(file.path, "its table is not there once loaded: build it again");
    std::unique_ptr<WasmModule> made(
        new WasmModule(std::move(object), *static_cast<const symphony_wasm_module*>(symbol), file.notes[0].info));
    Outcome checked = made->check();
    if (checked.ok()) {
      made->table_.attach(&Guest::runtime(), made.get());
      checked = made->make_entry();
    }
    if (!checked.ok()) {
      (void)made.release();  // its code stays, and so does what that was given
      return {checked.status, file.path + ": " + checked.text};
    }
    out = made.get();
    modules.push_back(std::move(made));
    return {};
  }
};

std::span<const std::byte> WasmModule::wasm() const noexcept {
  return {reinterpret_cast<const std::byte*>(table_.wasm), reinterpret_cast<const std::byte*>(table_.wasm_end)};
}

// Before anything of it runs.
Outcome WasmModule::check() {
  if (table_.struct_size != sizeof table_ || table_.abi != SYMPHONY_WASM_MODULE_ABI) {
    return {SYMPHONY_VERSION, "a WebAssembly pit of another release: build it and the host from one"};
  }
  Sections sections;
  if (Outcome o = read_sections(wasm(), sections); !o.ok()) return o;
  if (Outcome o = check_sections(sections); !o.ok()) return o;
  if (!sections.note) return {SYMPHONY_BAD_MESSAGE, "its WebAssembly module has no section symphony.pit: not a pit"};
  PitNote note;
  if (Outcome o = read_note(*sections.note, note); !o.ok()) return o;
  if (const std::string_view difference = first_difference(note.info, info_); !difference.empty()) {
    return {SYMPHONY_BAD_MESSAGE,
            "its note and its module's differ in the " + std::string(difference) + ": build it again"};
  }
  text_ = text_around(reinterpret_cast<const void*>(table_.pit_handle));
  if (text_.begin == text_.end) return {SYMPHONY_INTERNAL, "its code cannot be found in this process"};
  return {};
}

Outcome WasmModule::make_entry() {
  std::uint32_t there = 0;
  if (Outcome o = Guest::functions_of(*this, there); !o.ok()) return o;
  for (const std::string& need : info_.needs) needs_.push_back(need.c_str());
  note_.struct_size = sizeof note_;
  note_.abi_major = info_.abi_major;
  note_.abi_minor = info_.abi_minor;
  note_.name = info_.name.c_str();
  note_.version = info_.version.c_str();
  note_.messages = info_.messages.data();
  note_.message_count = static_cast<std::uint32_t>(info_.messages.size());
  note_.reply_size_max = info_.reply_size_max;
  note_.state_revision = info_.state_revision;
  note_.state_revision_min = info_.state_revision_min;
  note_.needs = needs_.data();
  note_.need_count = static_cast<std::uint32_t>(needs_.size());
  note_.thread_model = info_.thread_model;
  note_.schema_hash = info_.schema_hash;

  const auto has = [&](std::uint32_t bit) { return (there & bit) != 0; };
  entry_.struct_size = sizeof entry_;
  entry_.note = &note_;
  entry_.create = table_.create;
  entry_.init = has(SYMPHONY_WASM_HAS_INIT) ? &Guest::init : nullptr;
  entry_.start = has(SYMPHONY_WASM_HAS_START) ? &Guest::start : nullptr;
  entry_.handle = &Guest::handle;
  entry_.drain = has(SYMPHONY_WASM_HAS_DRAIN) ? &Guest::drain : nullptr;
  entry_.snapshot = has(SYMPHONY_WASM_HAS_SNAPSHOT) ? &Guest::snapshot : nullptr;
  entry_.restore = has(SYMPHONY_WASM_HAS_RESTORE) ? &Guest::restore : nullptr;
  entry_.stop = has(SYMPHONY_WASM_HAS_STOP) ? &Guest::stop : nullptr;
  entry_.destroy = &Guest::destroy;
  entry_.timer = has(SYMPHONY_WASM_HAS_TIMER) ? &Guest::timer : nullptr;
  symphony_pit_entry table{};
  PitInfo info;
  return read_entry(entry_, table, info);
}

Outcome WasmModule::load(const std::string& path, const WasmModule*& out) {
  if (!install_handlers())
    return {SYMPHONY_INTERNAL, "no handlers for the faults of WebAssembly pits: sigaction failed"};
  try {
    PitFile file;
    if (Outcome o = read_pit_file(path, file); !o.ok()) return o;
    return LoadedModules::of_process().load(file, out);
  } catch (const std::bad_alloc&) {
    return {SYMPHONY_OVERLOADED, path + ": no memory to load it"};
  }
}

}  // namespace symphony::pit::wasm
