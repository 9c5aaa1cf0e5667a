// A pit's manifest: any text is read or refused in one line, and what is read can be served.
#include "tools/symphony/manifest.hpp"
#include "bus/broker/core.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/targets.hpp"

namespace symphony::fuzz {

const char* run_manifest(std::span<const std::uint8_t> input) {
  const std::string text(input.begin(), input.end());
  const auto read = tools::parse_manifest(text, "it.toml");
  if (!read) {
    const std::string& why = read.error().text;
    if (why.empty()) return "refused without a reason";
    for (const char c : why) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return "a reason with control characters";
    }
    return nullptr;
  }
  // A manifest that is taken never fails later for what it says itself.
  const auto served = detail::broker::check_pits(detail::broker::each_instance({*read}));
  if (!served) return served.error().text;
  return nullptr;
}

}  // namespace symphony::fuzz
