// The parts of an Answer that tell of a pit and of dead letters.   Layer: control, private: used by encode.cpp and
// decode.cpp alone. Threads: pure functions. Trust: as codec.hpp.
#pragma once

#include "bus/control/messages.hpp"
#include "control_generated.h"

namespace symphony::detail::control {

// Sets too_large where a text or list is over its maximum.
[[nodiscard]] flatbuffers::Offset<wire::PitDetail> encode_report(flatbuffers::FlatBufferBuilder& b,
                                                                 const PitReport& report, bool& too_large);
[[nodiscard]] flatbuffers::Offset<flatbuffers::Vector<flatbuffers::Offset<wire::Letter>>> encode_letters(
    flatbuffers::FlatBufferBuilder& b, const std::vector<DeadLetter>& letters, bool& too_large);
[[nodiscard]] flatbuffers::Offset<flatbuffers::Vector<std::uint8_t>> encode_body(flatbuffers::FlatBufferBuilder& b,
                                                                                 const std::vector<std::byte>& body);
// False: over its maximum. No vector is an empty body.
[[nodiscard]] bool decode_body(const flatbuffers::Vector<std::uint8_t>* w, std::vector<std::byte>& body);
[[nodiscard]] std::vector<DeadLetter> decode_letters(const flatbuffers::Vector<flatbuffers::Offset<wire::Letter>>& w,
                                                     bool& ok);
// Clears ok at a value outside its bounds. Precondition: verified.
[[nodiscard]] PitReport decode_report(const wire::PitDetail& w, bool& ok);

}  // namespace symphony::detail::control
