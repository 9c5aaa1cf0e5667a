// What the verbs about a pit's file share.   Layer: tools.
#pragma once

#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "pits/hosting/pit_file.hpp"
#include "pits/hosting/process/python.hpp"
#include "pits/hosting/wasm/module_note.hpp"
#include "tools/symphony/exit_status.hpp"
#include "tools/symphony/programs.hpp"

namespace symphony::tools {

// A path as it was given, or that of the listed pit of this name.
[[nodiscard]] inline std::string pit_path(const std::string& given) {
  std::error_code ignored;
  if (given.find('/') == std::string::npos && !std::filesystem::exists(given, ignored)) {
    if (std::string ours = find_pit_file(given); !ours.empty()) return ours;
  }
  return given;
}

// What the pits in a file say of themselves: in a shared object or a program, a WebAssembly module,
// or a Python file. At least one.
inline pit::Outcome read_notes_in(const std::string& path, std::vector<pit::PitNote>& out) {
  pit::PitFile file;
  if (pit::is_python_pit(path)) {
    pit::Outcome read = pit::read_python_pit(path, file);
    if (read.ok()) out = std::move(file.notes);
    return read;
  }
  if (pit::Outcome read = pit::read_bytes_of(path, file.bytes); !read.ok()) return read;
  if (!pit::begins_as_wasm(file.bytes)) {
    pit::Outcome read = pit::read_pit_file(path, file);
    if (read.ok()) out = std::move(file.notes);
    return read;
  }
  pit::Outcome read = pit::wasm::read_module_note(file.bytes, out.emplace_back());
  if (!read.ok()) read.text = path + ": " + read.text;
  return read;
}

// For a file that could not be read as a pit's.
[[nodiscard]] inline int exit_status_of(const pit::Outcome& outcome) {
  switch (outcome.status) {
    case SYMPHONY_OK:
      return exit_ok;
    case SYMPHONY_VERSION:
      return exit_version;
    case SYMPHONY_UNREACHABLE:
      return exit_usage;
    case SYMPHONY_OVERLOADED:
      return exit_internal;
    default:
      return exit_bad;
  }
}

}  // namespace symphony::tools
