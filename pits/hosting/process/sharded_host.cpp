#include "pits/hosting/process/sharded_host.hpp"

#include <algorithm>
#include <array>
#include <new>
#include <utility>
#include <vector>

#include "pits/hosting/process/process_link.hpp"
#include "pits/hosting/shard_key.hpp"

namespace symphony::pit {
namespace {

// Links to the instances, each opened when it is first called.
class ShardedLink final : public Link {
 public:
  ShardedLink(Endpoint& endpoint, std::string name, std::uint32_t instances, const ProcessOptions& options)
      : endpoint_(endpoint), name_(std::move(name)), options_(options), links_(instances) {}

  Reply call(const Request& request) noexcept override {
    Link* const link = link_for(request);
    return link != nullptr ? link->call(request) : Reply{why_.status, 0, {}, why_.text};
  }
  bool try_start(const Request& request, std::uint64_t tag) noexcept override {
    Link* const link = link_for(request);
    if (link != nullptr) return link->try_start(request, tag);
    if (failed_) return false;  // one at a time
    failed_ = true;
    failed_tag_ = tag;
    return true;
  }
  bool try_take(std::uint64_t& tag, Reply& reply) noexcept override {
    if (std::exchange(failed_, false)) {
      tag = failed_tag_;
      reply = {why_.status, 0, {}, why_.text};
      return true;
    }
    return std::any_of(links_.begin(), links_.end(),
                       [&](const auto& link) { return link != nullptr && link->try_take(tag, reply); });
  }
  Wait prepare_wait() noexcept override {
    if (failed_) return {-1, 0};
    const auto open = [](const auto& link) { return link != nullptr; };
    const auto first = std::find_if(links_.begin(), links_.end(), open);
    if (first == links_.end()) return {};
    if (std::find_if(first + 1, links_.end(), open) == links_.end()) return (*first)->prepare_wait();
    return {-1, now_ns() + ms_ns};  // a descriptor is one link's: look now and then
  }
  void wake_with(std::shared_ptr<const UniqueFd>) noexcept override {}  // as ProcessLink
  Tally tally() const noexcept override {
    Tally sum;
    for (const auto& link : links_) {
      const Tally one = link != nullptr ? link->tally() : Tally{};
      sum = {sum.calls + one.calls, sum.ended + one.ended, sum.dropped + one.dropped};
    }
    return sum;
  }

 private:
  // Null: there is none, and why_ says why.
  Link* link_for(const Request& request) noexcept {
    const std::uint32_t index = instance_of(request.key, static_cast<std::uint32_t>(links_.size()));
    auto& link = links_[index];
    if (link != nullptr) [[likely]]
      return link.get();
    try {
      why_ = open_process_link(endpoint_, instance_name(name_, index), options_, request.deadline_ns, link);
    } catch (const std::bad_alloc&) {
      why_ = {SYMPHONY_OVERLOADED, {}};
    }
    return link.get();
  }

  Endpoint& endpoint_;
  const std::string name_;
  const ProcessOptions options_;
  std::vector<std::unique_ptr<Link>> links_;
  Outcome why_;
  bool failed_ = false;
  std::uint64_t failed_tag_ = 0;
};

class ShardedSharedLink final : public SharedLink {
 public:
  struct Part {
    std::unique_ptr<SharedLink> link;
    Outcome why;
  };
  explicit ShardedSharedLink(std::vector<Part> parts) : parts_(std::move(parts)) {}
  Reply call(const Request& request) noexcept override {
    const Part& part = parts_[instance_of(request.key, static_cast<std::uint32_t>(parts_.size()))];
    return part.link != nullptr ? part.link->call(request) : Reply{part.why.status, 0, {}, part.why.text};
  }

 private:
  const std::vector<Part> parts_;
};

}  // namespace

Outcome count_instances(Endpoint& endpoint, std::string_view name, TimeNs timeout_ns, std::uint32_t& out) {
  const auto status = endpoint.status(timeout_ns);
  if (!status) return {status_of(status.error().code), status.error().text};
  const auto is_known = [&](std::uint32_t index) {
    return std::any_of(
        status->pits.begin(), status->pits.end(),
        [wanted = instance_name(name, index)](const symphony::PitInfo& pit) { return pit.name == wanted; });
  };
  for (out = 0; out < instances_max && is_known(out); ++out) {
  }
  return {};
}

Outcome ShardedHost::mount(Endpoint& endpoint, std::string_view name, std::uint32_t instances,
                           const ProcessOptions& options, std::unique_ptr<ShardedHost>& out) {
  std::unique_ptr<ProcessHost> first;
  if (Outcome mounted = ProcessHost::mount(endpoint, name, options, first); !mounted.ok()) return mounted;
  out.reset(new ShardedHost(endpoint, name, instances, options, std::move(first)));
  return {};
}

Outcome ShardedHost::open(std::unique_ptr<Link>& out) {
  out = std::make_unique<ShardedLink>(endpoint_, name_, instances_, options_);
  return {};
}

Outcome ShardedHost::share(std::unique_ptr<SharedLink>& out) {
  std::vector<ShardedSharedLink::Part> parts(instances_);
  for (std::uint32_t i = 0; i < instances_; ++i) {
    parts[i].why = share_process_links(endpoint_, instance_name(name_, i), options_, parts[i].link);
  }
  const auto reached = [](const auto& part) { return part.link != nullptr; };
  if (std::none_of(parts.begin(), parts.end(), reached)) return parts[0].why;
  out = std::make_unique<ShardedSharedLink>(std::move(parts));
  return {};
}

namespace {
Outcome of_each_alone(const std::string& name, std::uint32_t instances) {
  return {SYMPHONY_BAD_STATE, "pit '" + name + "' has " + std::to_string(instances) +
                                  " instances, each with a state of its own: mount '" + instance_name(name, 1) +
                                  "' and so on by their names for that"};
}
}  // namespace

Outcome ShardedHost::snapshot(Snapshot&) { return of_each_alone(name_, instances_); }
Outcome ShardedHost::restore(const Snapshot&) { return of_each_alone(name_, instances_); }
Outcome ShardedHost::rest(TimeNs) { return of_each_alone(name_, instances_); }
Outcome ShardedHost::resume(const Snapshot&, TimeNs) { return of_each_alone(name_, instances_); }

template <class Step>
Outcome ShardedHost::each(Step&& step) {
  Outcome outcome = step(*first_);
  for (std::uint32_t i = 1; i < instances_; ++i) {
    std::unique_ptr<ProcessHost> host;
    Outcome one = ProcessHost::mount(endpoint_, instance_name(name_, i), options_, host);
    if (one.ok()) one = step(*host);
    if (outcome.ok()) outcome = std::move(one);
  }
  return outcome;
}

Outcome ShardedHost::drain(TimeNs deadline_ns) {
  return each([&](Host& host) { return host.drain(deadline_ns); });
}
Outcome ShardedHost::start() {
  return each([](Host& host) { return host.start(); });
}
Outcome ShardedHost::stop() {
  return each([](Host& host) { return host.stop(); });
}
Outcome ShardedHost::retire() {
  return each([](Host& host) { return host.retire(); });
}
Outcome ShardedHost::feed(std::uint64_t seed, TimeNs now_ns) {
  return each([&](Host& host) { return host.feed(seed, now_ns); });
}

}  // namespace symphony::pit
