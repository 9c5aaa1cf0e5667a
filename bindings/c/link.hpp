// A link, or a connection, behind a handle.   Layer: bindings. Threads: any.
#pragma once

#include <cstdint>

#include <symphony/endpoint.hpp>

#include "bindings/c/handles.hpp"

namespace symphony::c_abi {

// Its handle, of a table of its own; 0: all places are taken. May throw std::bad_alloc.
[[nodiscard]] std::uint64_t put_link(Link link);

// A connection behind a handle; it stays open for as long as this is held.
using BusPin = Handles<Endpoint, 256>::Pin;
[[nodiscard]] BusPin enter_bus(symphony_bus bus) noexcept;

}  // namespace symphony::c_abi
