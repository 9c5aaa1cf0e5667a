// The ways of hosting that `symphony bench hosting` compares, and what is to be said of each.   Layer: tools.
#pragma once

#include <array>
#include <string_view>

namespace symphony::tools {

struct HostingWay {
  std::string_view name;       // as bench_decision takes it
  std::string_view mode;       // static, dynamic, wasm, process, socket
  std::string_view profile;    // of the sandbox; empty: none
  std::string_view transport;  // how a message gets there
  std::string_view trust;      // how far the pit is trusted in this row
  std::string_view placement;
  unsigned threads;        // that run at once while it is called back to back
  bool quick;              // also in a quick run
  std::string_view loses;  // what one gives up
};

inline constexpr std::array<HostingWay, 12> hosting_ways{{
    {"static", "static", "", "direct call", "trusted: our address space", "the caller's thread", 1, true,
     "a new build for each change; a crash ends the host"},
    {"dynamic", "dynamic", "", "direct call", "trusted: our address space", "the caller's thread", 1, true,
     "a crash ends the host; never unloaded"},
    {"wasm", "wasm", "", "direct call, body copied in", "contained: its own memory, no system calls",
     "the caller's thread", 1, true, "slower code; only what compiles to WebAssembly"},
    {"process", "process", "", "shared-memory rings, adaptive", "cooperative: read in place, checked",
     "two processes, where the scheduler puts them", 2, true, "a second process; may do what its user may"},
    {"process+spin", "process", "", "shared-memory rings, spinning", "cooperative: read in place, checked",
     "two processes, where the scheduler puts them", 2, false, "a core for each side"},
    {"process+sleep", "process", "", "shared-memory rings, sleeping", "cooperative: read in place, checked",
     "two processes, where the scheduler puts them", 2, true, "a wake-up each way"},
    {"process+ring", "process", "ring", "shared-memory rings, adaptive", "hostile: copied out, then verified",
     "two processes, where the scheduler puts them", 2, true, "no files, no network, no memory once it serves"},
    {"process+heap", "process", "heap", "shared-memory rings, adaptive", "hostile: copied out, then verified",
     "two processes, where the scheduler puts them", 2, true, "no files, no network"},
    {"process+threads", "process", "threads", "shared-memory rings, adaptive", "hostile: copied out, then verified",
     "two processes, where the scheduler puts them", 2, true, "no files, no network"},
    {"uds+flatbuffers", "socket", "", "Unix socket, FlatBuffers", "none: the server believes its caller",
     "two processes, where the scheduler puts them", 2, true, "no restart, no walls, no swap; a wake-up each way"},
    {"uds+json", "socket", "", "Unix socket, JSON by the schema", "none: the server believes its caller",
     "two processes, where the scheduler puts them", 2, true, "as the row above, and JSON made and read at both ends"},
    {"grpc", "socket", "", "gRPC over a Unix socket, FlatBuffers", "none: the server believes its caller",
     "two processes and gRPC's threads, where the scheduler puts them", 2, true, "no restart, no walls, no swap"},
}};

[[nodiscard]] constexpr const HostingWay* hosting_way(std::string_view name) noexcept {
  for (const HostingWay& way : hosting_ways) {
    if (way.name == name) return &way;
  }
  return nullptr;
}

}  // namespace symphony::tools
