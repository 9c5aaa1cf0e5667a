// The faults themselves, each a few lines.   Layer: bench; includes the contract alone.
#pragma once

#include <symphony/pit.h>

#include <cstdint>

#include "bench/faults/order.hpp"

namespace symphony::faults {

// Inside handle(): commits it. Where the fault lets it come back, with a reply: what came of it.
std::int32_t commit_fault(const Order& order, const symphony_host& host);

// Ends the request with that text.
std::int32_t tell(const symphony_host& host, const char* text);

// Those that ask the kernel for something. A WebAssembly guest has no such calls: its module does not get past the host
// (host.cpp asks for them in its place).
std::int32_t commit_system_fault(const Order& order, const symphony_host& host);

}  // namespace symphony::faults
