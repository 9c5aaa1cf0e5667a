// A link behind a handle.   Layer: bindings. Threads: any.
#pragma once

#include <cstdint>

#include <symphony/endpoint.hpp>

namespace symphony::c_abi {

// Its handle, of a table of its own; 0: all places are taken. May throw std::bad_alloc.
[[nodiscard]] std::uint64_t put_link(Link link);

}  // namespace symphony::c_abi
