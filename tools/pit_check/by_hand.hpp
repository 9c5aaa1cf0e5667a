// An instance that a case leads by hand, and the ending of one request.   Layer: tools/pit_check. Threads: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pits/hosting/instance.hpp"
#include "tools/pit_check/caller.hpp"

namespace symphony::pit_check {

// Takes one ending in the memory of this process.
class OneEnding final : public pit::ReplySink {
 public:
  int endings = 0;
  std::uint64_t later = 0;  // the number of a request that the pit ends later
  Ending ending;
  int patience = -1;      // how often the pit may ask until nobody waits any more; below 0: for ever
  mutable int asked = 0;  // how often it did

  bool claim(std::uint32_t size_min, std::span<std::byte>& out) noexcept override;
  void commit(std::uint32_t used, std::uint32_t type) noexcept override;
  void fail(std::int32_t status, std::string_view text) noexcept override;
  ReplySink* defer(std::uint64_t request) noexcept override;
  [[nodiscard]] bool abandoned() const noexcept override;

 private:
  std::vector<std::uint64_t> bytes_;
};

// CREATED, or RUNNING at fed time. Each fails the trial when there is none.
[[nodiscard]] std::unique_ptr<pit::Instance> make(Trial& trial, const pit::InstanceOptions& options = {.seed = 7});
[[nodiscard]] std::unique_ptr<pit::Instance> make_running(Trial& trial,
                                                          const pit::InstanceOptions& options = {.seed = 7});

// Sends a message to its one ending, which `sink` keeps. A request that is left for later is dropped, as if its caller
// had gone: its ending is CANCELLED.
Ending send(pit::Instance& instance, const Message& message, OneEnding& sink);
Ending send(pit::Instance& instance, const Message& message);

}  // namespace symphony::pit_check
