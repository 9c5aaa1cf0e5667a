#include "tools/pit_check/modes.hpp"

#include <algorithm>
#include <array>

#include "pits/hosting/process/python.hpp"
#include "pits/hosting/wasm/module_table.h"

namespace symphony::pit_check {
namespace {

constexpr std::array<ModeKind, 4> kinds{{
    {"static", &make_static},
    {"dynamic", &make_dynamic},
    {"wasm", &make_wasm},
    {"process", &make_process},
}};

}  // namespace

std::span<const ModeKind> mode_kinds() noexcept { return kinds; }

bool is_wasm_form(const pit::PitFile& file) noexcept {
  return std::any_of(file.elf.exported.begin(), file.elf.exported.end(),
                     [](const pit::ElfSymbol& symbol) { return symbol.name == SYMPHONY_WASM_MODULE_SYMBOL; });
}

std::string not_native(const pit::PitFile& file) {
  if (pit::is_python_pit(file.path)) return "a pit in Python runs in a process of its own: mode process";
  if (!file.elf.shared_object) return "the file is no shared object: name the .so that symphony_add_pit makes";
  if (is_wasm_form(file)) return "the file is a pit compiled by way of WebAssembly: name its native .so for this mode";
  return {};
}

void Blames::write(std::int32_t level, std::string_view, std::string_view line) noexcept {
  if (level < SYMPHONY_LOG_ERROR || line.find("the pit misbehaved") == std::string_view::npos) return;
  constexpr std::size_t lines_max = 16;
  if (lines_.size() < lines_max) lines_.emplace_back(line);
}

pit::Outcome Mounted::kill() { return {SYMPHONY_BAD_STATE, "this mode's pit has no process of its own"}; }

}  // namespace symphony::pit_check
