// The program of a cell that hosts the culprit and an honest pit, and tells what it sees.   Layer: bench.
#pragma once

#include <cstdint>
#include <string>

#include "bench/faults/matrix.hpp"

namespace symphony::faults {

struct HostOptions {
  Hosting hosting;
  Fault fault = Fault::null_write;
  int report_fd = -1;  // where it says() what it sees (said.hpp)
  std::uint16_t port = 0;
  std::string secret_path;
  std::uint32_t patience_ms = 0;
};

// What the process becomes. Returns its exit status; never destroys what it hosts.
int be_host(const HostOptions& options);

}  // namespace symphony::faults
