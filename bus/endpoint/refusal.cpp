// What a program reads when the broker refused its open().
#include "bus/endpoint/caller_links.hpp"

namespace symphony::detail {
namespace {

const char* text_of(errc code) noexcept {
  switch (code) {
    case errc::not_found:
      return "open: the broker knows no pit of this name; `symphony pit list` shows those it has";
    case errc::quarantined:
      return "open: the pit failed too often and is quarantined; see its log, then restart it";
    case errc::timeout:
      return "open: the pit was not ready before the deadline";
    case errc::refused:
      return "open: the broker refused this caller";
    case errc::out_of_memory:
      return "open: no memory for the link's segments; use smaller rings";
    case errc::out_of_descriptors:
      return "open: no descriptors left for the link's segments; close links";
    case errc::closed:
      return "open: the pit has finished or was stopped, and is not started again; `symphony pit start` starts it";
    case errc::too_large:
      return "open: the link is larger than the broker allows, or there are too many links";
    case errc::invalid_argument:
      return "open: the broker did not accept the link's parameters";
    case errc::busy:
      return "open: the broker has too many opens waiting";
    default:
      return "open: the broker could not make the link";
  }
}

}  // namespace

error refusal_of(errc code) noexcept { return {code, 0, text_of(code)}; }

}  // namespace symphony::detail
