#include "tools/symphony/doctor/running_broker.hpp"

#include <filesystem>
#include <system_error>

#include <symphony/operator.hpp>

namespace symphony::tools::doctor {
namespace {

namespace fs = std::filesystem;

// What it executes. Empty: it is another user's, or gone.
std::string program_of(const std::string& process) {
  std::error_code unseen;
  return fs::read_symlink("/proc/" + process + "/exe", unseen).string();
}

Finding look_at_program(pid_t daemon) {
  const std::string theirs = program_of(std::to_string(daemon)), ours = program_of("self");
  if (theirs.empty() || theirs == ours)
    return {"broker", "program", Health::ok, theirs.empty() ? "not shown" : theirs, ""};
  const bool is_replaced = theirs.ends_with(" (deleted)");
  return {"broker", "program", Health::note, theirs,
          is_replaced ? "its file has been replaced: SIGUSR2 has the new one take over (docs/upgrade.md)"
                      : "another program than this one"};
}

}  // namespace

Findings look_at_broker(ConnectOptions options) {
  constexpr TimeNs patience_ns = 2 * second_ns, look_ns = 200 * ms_ns;
  options.timeout_ns = look_ns;  // where there is none, one is waited for
  auto broker = Operator::connect(options);
  if (!broker && broker.error().code == errc::unreachable) {
    return {{"broker", "running", Health::ok, "none at this place", ""}};
  }
  if (!broker) return {{"broker", "running", Health::bad, "it does not answer", broker.error().text}};
  Findings out;
  const std::string protocol = "protocol " + std::to_string(broker->protocol());
  if (broker->protocol() == Operator::newest_protocol()) {
    out.push_back({"broker", "version", Health::ok, protocol, ""});
  } else {
    out.push_back({"broker", "version", Health::note, protocol,
                   "older than this command's, " + std::to_string(Operator::newest_protocol()) +
                       ": what is new is refused until it is upgraded (docs/upgrade.md)"});
  }
  if (const OperatorAnswer letters = broker->letters("", 0, patience_ns); letters.ok()) {
    out.push_back(look_at_program(letters.daemon));
    if (!letters.letters.empty()) {
      out.push_back({"broker", "dead letters", Health::note, std::to_string(letters.letters.size()) + " or more",
                     "messages that killed their pit: `symphony dlq list`"});
    }
  }
  auto endpoint = Endpoint::connect(options);
  const auto status = endpoint ? endpoint->status(patience_ns) : unexpected(endpoint.error());
  if (!status) {
    out.push_back({"broker", "pits", Health::bad, "it does not say", status.error().text});
    return out;
  }
  std::size_t well = 0;
  for (const PitInfo& pit : status->pits) {
    if (pit.state != "quarantined" && pit.state != "backoff") {
      ++well;
      continue;
    }
    out.push_back({"broker", "pit " + pit.name, pit.state == "backoff" ? Health::note : Health::bad, pit.state,
                   "why: `symphony pit show " + pit.name + "`"});
  }
  out.push_back({"broker", "pits", Health::ok,
                 std::to_string(well) + " of " + std::to_string(status->pits.size()) + " well", ""});
  return out;
}

}  // namespace symphony::tools::doctor
