#include "tools/symphony/pit_snapshot.hpp"

#include <CLI/CLI.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include <symphony/endpoint.hpp>

#include "pits/hosting/process/process_host.hpp"
#include "pits/hosting/process/sharded_host.hpp"
#include "tools/symphony/broker_place.hpp"
#include "tools/symphony/snapshot_file.hpp"
#include "tools/symphony/table.hpp"
#include "tools/symphony/whole_file.hpp"

namespace symphony::tools {
namespace {

struct SnapshotArguments {
  BrokerPlace place{.timeout_s = 30};
  std::string pit;
  std::string file;
  std::string format = "table";
};

// A pit of a broker, and the way to it.
struct ReachedPit {
  std::optional<Endpoint> endpoint;
  std::unique_ptr<pit::ProcessHost> host;
  std::uint32_t instances = 1;  // that the name has; what is reached is the first of them
};

// An exit status; not 0: it was reported.
int reach(const std::string& verb, const SnapshotArguments& arguments, ReachedPit& out) {
  auto endpoint = Endpoint::connect(arguments.place.options());
  if (!endpoint) return report_failure(verb, exit_status_of(endpoint.error().code), endpoint.error().text);
  out.endpoint = *std::move(endpoint);
  const TimeNs timeout_ns = arguments.place.timeout_ns();
  const auto failed = [&](const pit::Outcome& outcome) {
    return report_failure(verb, exit_status_of_ending(outcome.status), outcome.text);
  };
  const LinkOptions how{.waiting = symphony::Waiting::sleep};
  // The link says which error it is; the host would only say that there is none.
  if (const auto link = out.endpoint->open(arguments.pit, how, timeout_ns); !link) {
    return report_open_failure(verb, link.error(), arguments.place, arguments.pit);
  }
  auto outcome = pit::count_instances(*out.endpoint, arguments.pit, timeout_ns, out.instances);
  if (!outcome.ok()) return failed(outcome);
  outcome =
      pit::ProcessHost::mount(*out.endpoint, arguments.pit, {.link = how, .open_timeout_ns = timeout_ns}, out.host);
  return outcome.ok() ? exit_ok : failed(outcome);
}

// What was moved: to a person, or as a document.
void tell(const std::string& verb, const SnapshotArguments& arguments, const ReachedPit& reached,
          const pit::Snapshot& moved) {
  const bool is_to_output = verb == "pit snapshot" && arguments.file == "-";
  if (arguments.format == "json") {
    CliJson document = document_of(verb);
    document["pit"] = arguments.pit;
    document["file"] = arguments.file;
    document["of"] = reached.host->info().name;
    document["version"] = reached.host->info().version;
    document["revision"] = moved.revision;
    document["bytes"] = moved.bytes.size();
    document["timers"] = moved.timers.size();
    document["instances"] = reached.instances;
    print(document);
  } else if (!is_to_output) {
    std::printf(
        "%s", fmt::format("{}: {} bytes of state, revision {}, {} {}\n", arguments.pit, count_text(moved.bytes.size()),
                          moved.revision, verb == "pit snapshot" ? "to" : "from", printable(arguments.file, 4096))
                  .c_str());
  }
  if (reached.instances > 1) {
    const std::string last = instance_name(arguments.pit, reached.instances - 1);
    const std::string others =
        reached.instances == 2 ? last + " has" : instance_name(arguments.pit, 1) + " to " + last + " have";
    std::fprintf(stderr, "symphony %s: this is the first instance of %u; %s a state of %s own, under that name\n",
                 verb.c_str(), reached.instances, others.c_str(), reached.instances == 2 ? "its" : "their");
  }
}

int take_snapshot(const SnapshotArguments& arguments) {
  const std::string verb = "pit snapshot";
  if (arguments.file == "-" && arguments.format == "json") {
    return report_failure(verb, exit_usage, "standard output cannot have both snapshot and document: name a file");
  }
  ReachedPit reached;
  if (const int status = reach(verb, arguments, reached); status != exit_ok) return status;
  SnapshotFile file{reached.host->info().name, {}};
  if (const auto taken = reached.host->snapshot(file.snapshot); !taken.ok()) {
    return report_failure(verb, exit_status_of_ending(taken.status), taken.text);
  }
  const std::string why = write_whole_file(arguments.file, write_snapshot_file(file));
  if (!why.empty()) return report_failure(verb, exit_usage, why);
  tell(verb, arguments, reached, file.snapshot);
  return exit_ok;
}

int restore_snapshot(const SnapshotArguments& arguments) {
  const std::string verb = "pit restore";
  const auto wrong = [&](const InputError& e) { return report_failure(verb, e.exit_status(), e.text); };
  const auto bytes = read_whole_file(arguments.file, snapshot_file_size_max());
  if (!bytes) return wrong(bytes.error());
  const auto file = read_snapshot_file(*bytes, arguments.file == "-" ? "standard input" : arguments.file);
  if (!file) return wrong(file.error());
  ReachedPit reached;
  if (const int status = reach(verb, arguments, reached); status != exit_ok) return status;
  const pit::PitInfo& info = reached.host->info();
  if (file->pit != info.name) {
    return report_failure(
        verb, exit_version,
        fmt::format("the snapshot is of a pit '{}', and {} runs a pit '{}': restore it into one of the former",
                    printable(file->pit), arguments.pit, info.name));
  }
  const std::uint32_t revision = file->snapshot.revision;
  if (info.state_revision == 0) {
    return report_failure(verb, exit_version,
                          fmt::format("pit '{}' keeps no snapshots, so it restores none", info.name));
  }
  if (revision < info.state_revision_min || revision > info.state_revision) {
    return report_failure(
        verb, exit_version,
        fmt::format(
            "pit '{}' {} restores snapshots of revision {} to {}, and this one has {}: start a version of it that does",
            info.name, info.version, info.state_revision_min, info.state_revision, revision));
  }
  if (const auto restored = reached.host->restore(file->snapshot); !restored.ok()) {
    return report_failure(verb, exit_status_of_ending(restored.status), restored.text);
  }
  tell(verb, arguments, reached, file->snapshot);
  return exit_ok;
}

}  // namespace

void add_pit_snapshot_verbs(CLI::App& pit, int& exit_status) {
  auto arguments = std::make_shared<SnapshotArguments>();
  const auto add = [&](const char* name, const char* help, const char* file_help, const char* footer,
                       int (*command)(const SnapshotArguments&)) {
    auto* verb = pit.add_subcommand(name, help);
    verb->add_option("pit", arguments->pit, "Its name; of a pit with several instances each has its own")
        ->required()
        ->type_name("NAME");
    verb->add_option("file", arguments->file, file_help)->required()->type_name("FILE");
    add_place_options(*verb, arguments->place);
    add_timeout_option(*verb, arguments->place);
    add_output_option(*verb, arguments->format);
    verb->footer(footer);
    verb->callback([arguments, &exit_status, command] { exit_status = command(*arguments); });
  };
  add("snapshot", "Write the state of a broker's pit to a file; the pit goes on",
      "Where to; replaced when the new one is whole, readable for you alone. - is standard output",
      "The state is that between two messages. Where FILE cannot be written, it stays as it was.", take_snapshot);
  add("restore", "Put the state in a file into the place of a broker's pit's own",
      "What snapshot wrote. - is standard input",
      "A file that is damaged, of another pit or of a revision that the pit does not restore is refused, and a pit "
      "that "
      "cannot take the state goes on with its own. What a pit with durability = \"journal\" or \"snapshot\" took "
      "outlives it. "
      "Requests that waited for a late reply end as CRASHED (accepted).",
      restore_snapshot);
}

}  // namespace symphony::tools
