// Everything that takes bytes of strangers, as functions of an input.   Layer: tests. Threads: one.
//
// A target returns nullptr, or which promise the input broke; a sanitizer ends the program by itself. What it does
// depends on the input alone. The same functions are run by libFuzzer (fuzz_main.cpp) and, over the inputs that it
// kept, as a test (corpora_test.cpp). The ring's stands in tests/proof/hostile, since it brings a wake_all() of its
// own.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace symphony::fuzz {

using Run = const char* (*)(std::span<const std::uint8_t> input);

[[nodiscard]] const char* run_control(std::span<const std::uint8_t> input);
[[nodiscard]] const char* run_boards(std::span<const std::uint8_t> input);
[[nodiscard]] const char* run_broker(std::span<const std::uint8_t> input);
[[nodiscard]] const char* run_records(std::span<const std::uint8_t> input);
[[nodiscard]] const char* run_manifest(std::span<const std::uint8_t> input);
[[nodiscard]] const char* run_state(std::span<const std::uint8_t> input);
[[nodiscard]] const char* run_wasm(std::span<const std::uint8_t> input);
[[nodiscard]] const char* run_elf(std::span<const std::uint8_t> input);
[[nodiscard]] const char* run_c_abi(std::span<const std::uint8_t> input);

struct Target {
  const char* name;  // of its files, and for tools/fuzz
  Run run;
};
inline constexpr std::array targets = {
    Target{"boards", run_boards},   Target{"control", run_control},   Target{"broker", run_broker},
    Target{"records", run_records}, Target{"manifest", run_manifest}, Target{"state", run_state},
    Target{"wasm", run_wasm},       Target{"elf", run_elf},           Target{"c_abi", run_c_abi},
};

}  // namespace symphony::fuzz
