// How far a pit is trusted.   Layer: base.
// Per link and direction: it decides whether what the pit wrote is read in place or copied out first, and what is
// believed of its words after its death. Every figure names it.
#pragma once

#include <cstdint>

namespace symphony {

enum class Trust : std::uint8_t {
  trusted = 0,      // our own code: read in place
  cooperative = 1,  // no ill will, but may be wrong: checked, read in place where the message allows it
  hostile = 2,      // anything: copied out before it is verified, believed nothing
};

}  // namespace symphony
