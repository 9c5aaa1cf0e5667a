#include <symphony/conductor.hpp>

#include <utility>

#include "pits/hosting/dynamic/dynamic_host.hpp"
#include "pits/hosting/dynamic/library.hpp"
#include "pits/hosting/host.hpp"
#include "pits/hosting/process/process_host.hpp"
#include "pits/hosting/static/static_host.hpp"

namespace symphony {
namespace {

StepResult step(pit::Outcome outcome) { return {outcome.status, std::move(outcome.text)}; }

StepResult not_mounted(std::string_view name) {
  return {status::unreachable, "no pit is mounted as '" + std::string(name) + "': mount it first"};
}

StepResult taken(std::string_view name) {
  return {status::bad_state, "a pit is mounted as '" + std::string(name) + "' already: unmount it first"};
}

}  // namespace

std::string_view to_string(Mode mode) noexcept {
  switch (mode) {
    case Mode::static_:
      return "static";
    case Mode::dynamic:
      return "dynamic";
    case Mode::process:
      return "process";
  }
  return "?";
}

LoadedPits loaded_pits() noexcept {
  const pit::LibraryCounts counts = pit::library_counts();
  return {counts.loaded, counts.retired};
}

Caller::Caller() noexcept = default;
Caller::Caller(Caller&&) noexcept = default;
Caller& Caller::operator=(Caller&&) noexcept = default;
Caller::~Caller() = default;

Reply Caller::call(std::uint32_t type, std::span<const std::byte> body, const CallOptions& options) noexcept {
  if (!link_) return {.status = why_.ok() ? status::closed : why_.status, .text = why_.text};
  const pit::Reply reply =
      link_->call({type, static_cast<std::uint32_t>(options.effect), body, coarse_deadline(options)});
  return {.status = reply.status, .type = reply.type, .body = reply.body, .text = reply.text};
}

Caller::Tally Caller::tally() const noexcept {
  if (!link_) return {};
  const pit::Tally tally = link_->tally();
  return {tally.calls, tally.ended, tally.dropped};
}

Conductor::Conductor(Endpoint* endpoint) noexcept : endpoint_(endpoint) {}
Conductor::~Conductor() = default;

StepResult Conductor::mount(std::string_view name, const MountOptions& options) {
  if (find(name)) return taken(name);
  std::shared_ptr<pit::Host> host;
  if (StepResult made = make_host(name, options, host); !made.ok()) return made;
  const std::lock_guard lock(mutex_);
  return hosts_.try_emplace(std::string(name), std::move(host)).second ? StepResult{} : taken(name);
}

StepResult Conductor::make_host(std::string_view name, const MountOptions& options, std::shared_ptr<pit::Host>& out) {
  switch (options.mode) {
    case Mode::static_:
      return make_static(options, out);
    case Mode::dynamic:
      return make_dynamic(options, out);
    case Mode::process:
      return make_process(name, options, out);
  }
  return {status::bad_state, "mount: there is no such mode"};
}

StepResult Conductor::make_static(const MountOptions& options, std::shared_ptr<pit::Host>& out) {
  if (options.entry == nullptr) {
    return {status::bad_state, "mount: a static pit needs its entry (SYMPHONY_DECLARE_PIT, symphony_pit_<name>())"};
  }
  symphony_pit_entry table;
  pit::PitInfo info;
  if (auto outcome = pit::read_entry(*options.entry, table, info); !outcome.ok()) return step(std::move(outcome));
  if (StepResult missing = check_needs(info); !missing.ok()) return missing;
  std::unique_ptr<pit::StaticHost> made;
  auto outcome = pit::StaticHost::mount(*options.entry, {.config = options.config}, made);
  out = std::move(made);
  return step(std::move(outcome));
}

StepResult Conductor::make_dynamic(const MountOptions& options, std::shared_ptr<pit::Host>& out) {
  if (options.file.empty()) return {status::bad_state, "mount: a dynamic pit needs its file, the .so of the pit"};
  pit::PitFile file;
  if (auto outcome = pit::read_pit_file(options.file, file); !outcome.ok()) return step(std::move(outcome));
  // Before it is loaded: what is loaded stays.
  if (StepResult missing = check_needs(file.notes[0].info); !missing.ok()) return missing;
  std::unique_ptr<pit::DynamicHost> made;
  auto outcome = pit::DynamicHost::mount(file, {.config = options.config}, made);
  out = std::move(made);
  return step(std::move(outcome));
}

StepResult Conductor::make_process(std::string_view name, const MountOptions& options,
                                   std::shared_ptr<pit::Host>& out) {
  if (endpoint_ == nullptr) return {status::bad_state, "mount: a process pit needs a conductor with an endpoint"};
  std::unique_ptr<pit::ProcessHost> made;
  auto outcome = pit::ProcessHost::mount(*endpoint_, name, {options.link, options.timeout_ns}, made);
  out = std::move(made);
  return step(std::move(outcome));
}

StepResult Conductor::check_needs(const pit::PitInfo& info) {
  for (const std::string& need : info.needs) {
    if (find(need)) continue;
    return {status::unreachable,
            "pit '" + info.name + "' needs '" + need + "', and no pit is mounted as that: mount it first"};
  }
  return {};
}

StepResult Conductor::unmount(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto found = hosts_.find(name);
  if (found == hosts_.end()) return not_mounted(name);
  hosts_.erase(found);
  return {};
}

std::shared_ptr<pit::Host> Conductor::find(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto found = hosts_.find(name);
  return found == hosts_.end() ? nullptr : found->second;
}

Caller Conductor::open(std::string_view name) {
  Caller caller;
  const auto host = find(name);
  caller.why_ = host ? step(host->open(caller.link_)) : not_mounted(name);
  return caller;
}

StepResult Conductor::snapshot(std::string_view name, PitState& out) {
  const auto host = find(name);
  if (!host) return not_mounted(name);
  pit::Snapshot snapshot;
  auto outcome = host->snapshot(snapshot);
  if (outcome.ok()) out = {snapshot.revision, std::move(snapshot.bytes)};
  return step(std::move(outcome));
}

StepResult Conductor::restore(std::string_view name, const PitState& from) {
  const auto host = find(name);
  return host ? step(host->restore({from.revision, from.bytes})) : not_mounted(name);
}

}  // namespace symphony
