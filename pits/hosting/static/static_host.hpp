// A pit that is linked into the program.   Layer: hosting/static (contract, bus/base).
// A crash of the pit is a crash of the program: that is the price of this mode.
#pragma once

#include <symphony/pit.h>

#include <memory>

#include "pits/hosting/in_process_host.hpp"

namespace symphony::pit {

class StaticHost final : public InProcessHost {
 public:
  // Makes an instance, restores it if asked to, and starts it. On success `out` is RUNNING. The entry is the pit's own
  // static data and outlives host and links; so does what it points to.
  static Outcome mount(const symphony_pit_entry& entry, const InProcessOptions& options,
                       std::unique_ptr<StaticHost>& out);

 private:
  using InProcessHost::InProcessHost;
};

}  // namespace symphony::pit
