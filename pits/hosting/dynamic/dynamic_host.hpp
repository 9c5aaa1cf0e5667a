// A pit that is loaded from a file into this process.   Layer: hosting/dynamic (contract, bus/base).
// A call costs what it costs in mode static, and a crash of the pit is a crash of the program. Lifetime: the version is
// in use until the host and all its links are gone; then it is retired, never unloaded.
#pragma once

#include <memory>

#include "pits/hosting/in_process_host.hpp"
#include "pits/hosting/pit_file.hpp"

namespace symphony::pit {

class DynamicHost final : public InProcessHost {
 public:
  // Loads the pit, makes an instance, restores it if asked to, and starts it. On success `out` is RUNNING. Whoever
  // calls has read the file and seen to what its note needs. Refusals as PitLibrary::load.
  static Outcome mount(const PitFile& file, const InProcessOptions& options, std::unique_ptr<DynamicHost>& out);

 private:
  using InProcessHost::InProcessHost;
};

}  // namespace symphony::pit
