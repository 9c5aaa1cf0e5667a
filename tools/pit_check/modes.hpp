// The modes in which a pit can be checked.   Layer: tools/pit_check. A new mode is a stage and a row in modes.cpp.
#pragma once

#include <symphony/pit.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "tools/pit_check/stage.hpp"

namespace symphony::pit_check {

// What is to be checked, lent for the life of its stages.
struct Subject {
  const pit::PitFile& file;
  const Programs& programs;
  const symphony_pit_entry* linked = nullptr;  // the same pit, linked into this program; null: it is not
  TimeNs time_limit_ns = 0;                    // of a case; 0: none
};

struct ModeKind {
  std::string_view name;
  // Why it cannot be run in this mode here; empty: `out` is its stage.
  std::string (*make)(const Subject& subject, std::unique_ptr<Stage>& out);
};

// All modes that there are, in the order in which they are run.
[[nodiscard]] std::span<const ModeKind> mode_kinds() noexcept;

// The rows, as functions of the files that hold their stages.
std::string make_static(const Subject& subject, std::unique_ptr<Stage>& out);
std::string make_dynamic(const Subject& subject, std::unique_ptr<Stage>& out);
std::string make_wasm(const Subject& subject, std::unique_ptr<Stage>& out);
std::string make_process(const Subject& subject, std::unique_ptr<Stage>& out);

// Why the file is no shared object of native code, which is loaded as it is; empty: it is one.
[[nodiscard]] std::string not_native(const pit::PitFile& file);
// Whether it is a pit compiled by way of WebAssembly.
[[nodiscard]] bool is_wasm_form(const pit::PitFile& file) noexcept;

}  // namespace symphony::pit_check
