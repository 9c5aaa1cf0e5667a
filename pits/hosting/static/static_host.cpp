#include "pits/hosting/static/static_host.hpp"

#include <utility>

namespace symphony::pit {
namespace {

class LinkedIn final : public InstanceFactory {
 public:
  explicit LinkedIn(const symphony_pit_entry& entry) noexcept : entry_(entry) {}
  Outcome make(const InstanceOptions& options, std::unique_ptr<Instance>& out) override {
    return Instance::make(entry_, options, out);
  }

 private:
  const symphony_pit_entry& entry_;
};

}  // namespace

Outcome StaticHost::mount(const symphony_pit_entry& entry, const InProcessOptions& options,
                          std::unique_ptr<StaticHost>& out) {
  std::shared_ptr<InProcessCore> core;
  if (Outcome o = begin("static", std::make_unique<LinkedIn>(entry), options, core); !o.ok()) return o;
  out.reset(new StaticHost(std::move(core)));
  return {};
}

}  // namespace symphony::pit
