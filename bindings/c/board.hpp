// Cells and topics behind handles.   Layer: bindings. Threads: any.
#pragma once

#include <cstdint>
#include <variant>

#include <symphony/topic.hpp>

namespace symphony::c_abi {

using AnyWriter = std::variant<CellWriter, Publisher>;
using AnyReader = std::variant<CellReader, Subscription>;

// Its handle, of a table of its own; 0: all places are taken. May throw std::bad_alloc.
[[nodiscard]] std::uint64_t put_writer(AnyWriter writer);
[[nodiscard]] std::uint64_t put_reader(AnyReader reader);

}  // namespace symphony::c_abi
