#include "pits/hosting/dynamic/dynamic_host.hpp"

#include <utility>

#include "pits/hosting/dynamic/library.hpp"

namespace symphony::pit {
namespace {

class FromLibrary final : public InstanceFactory {
 public:
  explicit FromLibrary(std::shared_ptr<const PitLibrary> library) noexcept : library_(std::move(library)) {}
  Outcome make(const InstanceOptions& options, std::unique_ptr<Instance>& out) override {
    return Instance::make(library_->entry(), options, out);
  }

 private:
  std::shared_ptr<const PitLibrary> library_;
};

}  // namespace

Outcome DynamicHost::mount(const PitFile& file, const InProcessOptions& options, std::unique_ptr<DynamicHost>& out) {
  std::shared_ptr<const PitLibrary> library;
  if (Outcome o = PitLibrary::load(file, library); !o.ok()) return o;
  std::shared_ptr<InProcessCore> core;
  if (Outcome o = begin("dynamic", std::make_unique<FromLibrary>(std::move(library)), options, core); !o.ok()) return o;
  out.reset(new DynamicHost(std::move(core)));
  return {};
}

}  // namespace symphony::pit
