#include <symphony/status.hpp>

#include <array>

namespace symphony {

const char* status_name(CallStatus value) noexcept {
  static constexpr std::array names{"ok",
                                    "overloaded",
                                    "deadline passed",
                                    "cancelled",
                                    "unknown message type",
                                    "bad message",
                                    "version",
                                    "crashed",
                                    "trapped",
                                    "poisoned",
                                    "quarantined",
                                    "moved",
                                    "internal",
                                    "closed",
                                    "too large",
                                    "forked",
                                    "crashed after acceptance",
                                    "peer fault",
                                    "unreachable",
                                    "bad state"};
  if (value > 0) return "status of the pit";
  const auto index = static_cast<std::size_t>(-static_cast<std::int64_t>(value));
  return index < names.size() ? names[index] : "unknown status";
}

}  // namespace symphony
