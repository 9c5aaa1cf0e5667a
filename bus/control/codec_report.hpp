// The part of an Answer that tells of a pit.   Layer: control, private: used by codec.cpp alone. Threads: pure
// functions. Trust: as codec.hpp.
#pragma once

#include "bus/control/messages.hpp"
#include "control_generated.h"

namespace symphony::detail::control {

// Sets too_large where a text or list is over its maximum.
[[nodiscard]] flatbuffers::Offset<wire::PitDetail> encode_report(flatbuffers::FlatBufferBuilder& b,
                                                                 const PitReport& report, bool& too_large);
// Clears ok at a value outside its bounds. Precondition: verified.
[[nodiscard]] PitReport decode_report(const wire::PitDetail& w, bool& ok);

}  // namespace symphony::detail::control
