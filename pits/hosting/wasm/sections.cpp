#include "pits/hosting/wasm/sections.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>

#include "pits/hosting/wasm/reservation.hpp"

namespace symphony::pit::wasm {
namespace {

constexpr std::array<Lowered, 15> imports_offered{{
    {"log", "i32 i32 i32 ->"},
    {"now", "-> i64"},
    {"claim", "i32 -> i32"},
    {"commit", "i32 i32 i32 -> i32"},
    {"error", "i32 i32 ->"},
    {"random", "-> i64"},
    {"snapshot_write", "i32 i32 -> i32"},
    {"restore_read", "i32 i32 -> i64"},
    {"publish", "i32 i32 i32 -> i32"},
    {"call_async", "i32 i32 i32 i32 i32 i32 i64 i64 -> i32"},
    {"timer_set", "i64 i64 -> i32"},
    {"timer_cancel", "i64 -> i32"},
    {"cancelled", "-> i32"},
    {"mark_dirty", "->"},
    {"reply", "i64 i32 i32 i32 i32 -> i32"},
}};
constexpr std::array<Lowered, 13> exports_wanted{{
    {"_initialize", "->"},
    {"symphony_functions", "-> i32"},
    {"symphony_buffer", "i32 -> i32"},
    {"symphony_create", "i32 i32 -> i32"},
    {"symphony_init", "-> i32"},
    {"symphony_start", "-> i32"},
    {"symphony_handle", "i64 i64 i32 i32 i32 i64 i32 i32 -> i32"},
    {"symphony_timer", "i64 i64 -> i32"},
    {"symphony_drain", "i64 -> i32"},
    {"symphony_snapshot", "i32 -> i32"},
    {"symphony_restore", "i32 -> i32"},
    {"symphony_stop", "-> i32"},
    {"symphony_destroy", "->"},
}};

std::string_view type_name(std::uint8_t type) noexcept {
  switch (type) {
    case 0x7F:
      return "i32";
    case 0x7E:
      return "i64";
    case 0x7D:
      return "f32";
    case 0x7C:
      return "f64";
    default:
      return "?";
  }
}

// A place in the bytes. After a read that went wrong, `bad` says why and every further read gives 0 or nothing.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) noexcept : left_(bytes) {}

  [[nodiscard]] bool empty() const noexcept { return left_.empty(); }
  [[nodiscard]] const char* bad() const noexcept { return bad_; }
  void fail(const char* why) noexcept {
    if (bad_ == nullptr) bad_ = why;
    left_ = {};
  }

  std::uint8_t byte() noexcept {
    if (left_.empty()) return fail("it ends in the middle"), std::uint8_t{0};
    const auto value = static_cast<std::uint8_t>(left_.front());
    left_ = left_.subspan(1);
    return value;
  }
  // Unsigned LEB128 of at most 32 bits.
  std::uint32_t number() noexcept {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 35; shift += 7) {
      const std::uint8_t part = byte();
      value |= std::uint64_t{part & 0x7FU} << shift;
      if ((part & 0x80U) == 0) {
        if (value > UINT32_MAX) break;
        return static_cast<std::uint32_t>(value);
      }
    }
    fail("a number in it has more than 32 bits");
    return 0;
  }
  std::span<const std::byte> bytes(std::uint32_t size) noexcept {
    if (size > left_.size()) return fail("a length in it goes past its end"), std::span<const std::byte>{};
    const auto taken = left_.first(size);
    left_ = left_.subspan(size);
    return taken;
  }
  std::span<const std::byte> rest() noexcept { return std::exchange(left_, {}); }
  std::string_view text() noexcept {
    const auto taken = bytes(number());
    return {reinterpret_cast<const char*>(taken.data()), taken.size()};
  }
  // How many items follow; each takes at least one byte.
  std::uint32_t count(std::size_t max = wasm_names_max) noexcept {
    const std::uint32_t n = number();
    if (n > left_.size()) fail("a count in it goes past its end");
    if (n > max) fail("it has more types, imports, exports or functions than this host reads");
    return bad_ == nullptr ? n : 0;
  }
  Kind kind() noexcept {
    const std::uint8_t value = byte();
    if (value > static_cast<std::uint8_t>(Kind::global)) fail("an import or export of a kind that does not exist");
    return static_cast<Kind>(value & 3U);
  }
  MemoryLimits limits() noexcept {
    const std::uint8_t flags = byte();
    if (flags > 1) fail("limits of a kind that this host does not know: no shared or 64-bit memory");
    MemoryLimits read{number(), std::nullopt};
    if (flags == 1) read.pages_max = number();
    return read;
  }

 private:
  std::span<const std::byte> left_;
  const char* bad_ = nullptr;
};

// What is needed of a module to say which type a function has.
struct Functions {
  std::vector<std::string> types;
  std::vector<std::uint32_t> type_of;  // imported ones first

  [[nodiscard]] std::string signature(Reader& in, std::uint32_t type) const {
    if (type < types.size()) return types[type];
    in.fail("a function of a type that does not exist");
    return {};
  }
};

void read_types(Reader& in, Functions& functions) {
  for (std::uint32_t n = in.count(); n > 0 && in.bad() == nullptr; --n) {
    if (in.byte() != 0x60) in.fail("a type that is not that of a function");
    std::string signature;
    for (std::uint32_t params = in.count(); params > 0; --params) signature.append(type_name(in.byte())).append(" ");
    signature.append("->");
    for (std::uint32_t results = in.count(); results > 0; --results) signature.append(" ").append(type_name(in.byte()));
    functions.types.push_back(std::move(signature));
  }
}

void read_imports(Reader& in, Functions& functions, Sections& out) {
  for (std::uint32_t n = in.count(); n > 0 && in.bad() == nullptr; --n) {
    Import read{in.text(), in.text(), in.kind(), {}};
    switch (read.kind) {
      case Kind::function:
        functions.type_of.push_back(in.number());
        read.signature = functions.signature(in, functions.type_of.back());
        break;
      case Kind::table:
        in.byte();  // what it holds
        in.limits();
        break;
      case Kind::memory:
        in.limits();
        break;
      case Kind::global:
        in.byte();  // its type
        in.byte();  // whether it can change
        break;
    }
    if (in.bad() == nullptr) out.imports.push_back(std::move(read));
  }
}

void read_functions(Reader& in, Functions& functions) {
  for (std::uint32_t n = in.count(wasm_functions_max); n > 0 && in.bad() == nullptr; --n) {
    functions.type_of.push_back(in.number());
  }
}

void read_exports(Reader& in, const Functions& functions, Sections& out) {
  for (std::uint32_t n = in.count(); n > 0 && in.bad() == nullptr; --n) {
    Export read{in.text(), in.kind(), {}};
    const std::uint32_t which = in.number();
    if (read.kind == Kind::function && in.bad() == nullptr) {
      if (which >= functions.type_of.size()) return in.fail("an export of a function that does not exist");
      read.signature = functions.signature(in, functions.type_of[which]);
    }
    if (in.bad() == nullptr) out.exports.push_back(std::move(read));
  }
}

void read_memories(Reader& in, Sections& out) {
  for (std::uint32_t n = in.count(); n > 0 && in.bad() == nullptr; --n) {
    const MemoryLimits read = in.limits();
    if (in.bad() == nullptr) out.memories.push_back(read);
  }
}

Outcome bad_module(std::string_view why) {
  return {SYMPHONY_BAD_MESSAGE, "no WebAssembly module: " + std::string(why)};
}
Outcome refused(std::string why) { return {SYMPHONY_VERSION, std::move(why)}; }

}  // namespace

Outcome read_sections(std::span<const std::byte> wasm, Sections& out) {
  constexpr std::array<std::uint8_t, 8> head{0, 'a', 's', 'm', 1, 0, 0, 0};
  if (wasm.size() < head.size() || std::memcmp(wasm.data(), head.data(), head.size()) != 0) {
    return bad_module("it does not begin as version 1 of one");
  }
  out = {};
  Functions functions;
  Reader file(wasm.subspan(head.size()));
  std::uint8_t before = 0;
  while (!file.empty()) {
    const std::uint8_t id = file.byte();
    Reader section(file.bytes(file.number()));
    if (file.bad() != nullptr) break;
    if (id > 12) return bad_module("a section of a kind that does not exist");
    if (id != 0) {
      // 12, the count of data segments, stands between 9 and 10.
      const auto place = static_cast<std::uint8_t>(id == 12 ? 19 : 2 * id);
      if (place <= before) return bad_module("its sections are out of order, or one is there twice");
      before = place;
    }
    switch (id) {
      case 0:
        if (section.text() == note_section && section.bad() == nullptr) {
          if (out.note) return bad_module("it has two notes of a pit");
          out.note = section.rest();
        } else {
          (void)section.rest();
        }
        break;
      case 1:
        read_types(section, functions);
        break;
      case 2:
        read_imports(section, functions, out);
        break;
      case 3:
        read_functions(section, functions);
        break;
      case 5:
        read_memories(section, out);
        break;
      case 7:
        read_exports(section, functions, out);
        break;
      default:
        continue;  // nothing that is needed here; the tools that compile it read it whole
    }
    if (section.bad() != nullptr) return bad_module(section.bad());
    if (!section.empty()) return bad_module("a section is longer than what it holds");
  }
  if (file.bad() != nullptr) return bad_module(file.bad());
  return {};
}

std::span<const Lowered> lowered_imports() noexcept { return imports_offered; }
std::span<const Lowered> lowered_exports() noexcept { return exports_wanted; }

Outcome check_sections(const Sections& sections) {
  for (const Import& import : sections.imports) {
    const bool offered = std::any_of(imports_offered.begin(), imports_offered.end(), [&](const Lowered& at) {
      return import.module == "symphony" && import.kind == Kind::function && import.name == at.name &&
             import.signature == at.signature;
    });
    if (!offered) {
      return refused("it imports " + std::string(import.module) + "." + std::string(import.name) + " (" +
                     import.signature +
                     "), which no host has: a pit may import functions of \"symphony\" only. Files,"
                     " clocks and standard output of the C library cannot be had; -DNDEBUG takes assert() out");
    }
  }
  const auto exports = [&](std::string_view name, Kind kind, std::string_view signature) {
    return std::any_of(sections.exports.begin(), sections.exports.end(), [&](const Export& at) {
      return at.name == name && at.kind == kind && at.signature == signature;
    });
  };
  for (const Lowered& at : exports_wanted) {
    if (!exports(at.name, Kind::function, at.signature)) {
      return refused("it does not export " + std::string(at.name) + " (" + std::string(at.signature) +
                     "): link the guest's side (guest.cpp) of this release into it");
    }
  }
  if (!exports("memory", Kind::memory, {})) return refused("it does not export its memory");
  if (sections.memories.size() != 1) return refused("it has not exactly one memory of its own");
  const MemoryLimits& memory = sections.memories.front();
  if (!memory.pages_max || *memory.pages_max > guest_pages_max || memory.pages > *memory.pages_max) {
    return refused("its memory has no maximum, or one above 3 GiB: link with --max-memory");
  }
  return {};
}

}  // namespace symphony::pit::wasm
