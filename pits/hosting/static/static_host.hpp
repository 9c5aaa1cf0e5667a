// A pit that is linked into the program, run on its callers' own threads.   Layer: hosting/static (contract, bus/base).
// A call costs one compare-and-swap and one store beside the pit's own work, and allocates nothing once the link has
// been used for a reply of that size. A crash of the pit is a crash of the program: that is the price of this mode.
// Lifetime: the instance lives until the host and all its links are gone.
#pragma once

#include <symphony/pit.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "pits/hosting/executor.hpp"
#include "pits/hosting/host.hpp"
#include "pits/hosting/instance.hpp"

namespace symphony::pit {

struct StaticOptions {
  std::string config{};                     // the operator's JSON text
  LogSink* log = nullptr;                   // to outlive the host and its links
  std::uint64_t seed = 0;                   // of the pit's random(); 0: chosen
  std::span<const Extension> extensions{};  // to outlive the host and its links
  const Snapshot* restore = nullptr;        // the state to begin with; lent
  std::uint32_t queue_max = Executor::default_queue_max;
};

class StaticHost final : public Host {
 public:
  // Makes an instance, restores it if asked to, and starts it. On success `out` is RUNNING. The entry is the pit's own
  // static data and outlives host and links; so does what it points to.
  static Outcome mount(const symphony_pit_entry& entry, const StaticOptions& options, std::unique_ptr<StaticHost>& out);
  ~StaticHost() override;

  [[nodiscard]] std::string_view mode() const noexcept override { return "static"; }
  [[nodiscard]] const PitInfo& info() const noexcept override;
  Outcome open(std::unique_ptr<Link>& out) override;
  Outcome snapshot(Snapshot& out) override;
  Outcome restore(const Snapshot& from) override;
  Outcome drain(TimeNs deadline_ns) override;
  Outcome start() override;
  Outcome stop() override;

 private:
  struct Core;
  explicit StaticHost(std::shared_ptr<Core> core) noexcept;
  std::shared_ptr<Core> core_;
};

}  // namespace symphony::pit
