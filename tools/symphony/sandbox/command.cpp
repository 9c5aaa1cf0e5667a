// symphony sandbox learn: which system calls a pit needed, and the profile that has them.
#include <CLI/CLI.hpp>

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/symphony/broker_place.hpp"
#include "tools/symphony/commands.hpp"
#include "tools/symphony/sandbox/learn.hpp"
#include "tools/symphony/table.hpp"

namespace symphony::tools {
namespace {

struct LearnArguments {
  BrokerPlace place;
  std::string what;
  double for_s = 10;
  std::string format = "table";
};

bool names_a_file(const std::string& what) {
  std::error_code none;
  return what.find('/') != std::string::npos || what.ends_with(".so") || std::filesystem::exists(what, none);
}

std::string profile_text(const std::optional<SandboxProfile>& profile) {
  return profile ? std::string(name_of(*profile)) : "none";
}

std::string seen_text(const LearnArguments& a, const Learned& learned) {
  if (learned.requests == 0) return fmt::format("what it did in {} s for those who call it", a.for_s);
  return fmt::format("{} requests with bodies that mean nothing, and its end", count_text(learned.requests));
}

void print_learned(const LearnArguments& a, const Learned& learned) {
  const auto least = learned.calls.least_profile();
  if (a.format == "json") {
    CliJson document = document_of("sandbox learn");
    document["pit"] = a.what;
    document["profile"] = least ? CliJson(name_of(*least)) : CliJson(nullptr);
    document["requests"] = learned.requests;
    document["calls"] = CliJson::array();
    for (const SeenCalls::Row& row : learned.calls.rows()) {
      CliJson profiles = CliJson::array();
      for (std::size_t i = 0; i < learned_profiles.size(); ++i) {
        if (row.allowed[i]) profiles.push_back(name_of(learned_profiles[i]));
      }
      document["calls"].push_back({{"number", row.number},
                                   {"name", name_of_call(row.number)},
                                   {"times", row.times},
                                   {"profiles", std::move(profiles)}});
    }
    return print(document);
  }
  std::vector<std::string> heads{"call", "times"};
  for (const SandboxProfile profile : learned_profiles) heads.emplace_back(name_of(profile));
  Table table(std::move(heads));
  for (const SeenCalls::Row& row : learned.calls.rows()) {
    std::vector<std::string> cells{name_of_call(row.number), count_text(row.times)};
    for (const bool allowed : row.allowed) cells.emplace_back(allowed ? "yes" : "no");
    table.add_row(std::move(cells));
  }
  std::fputs(table.text().c_str(), stdout);
  std::printf("\nprofile: %s, of what was seen: %s\n",
              least ? (profile_text(least) + " suffices").c_str() : "no profile has all of these calls",
              seen_text(a, learned).c_str());
}

int learn(const LearnArguments& a) {
  Learned learned;
  if (names_a_file(a.what)) {
    std::error_code none;
    learned = learn_from_file(std::filesystem::absolute(a.what, none).string());
  } else {
    auto broker = Operator::connect(a.place.options());
    if (!broker) return report_failure("sandbox learn", exit_status_of(broker.error().code), broker.error().text);
    const OperatorAnswer shown = broker->show(a.what, a.place.timeout_ns());
    if (!shown.ok()) {
      return report_failure("sandbox learn", shown.code == errc::not_found ? exit_not_found : exit_status_of(shown),
                            with_suggestion(shown.text, a.place, a.what));
    }
    learned = learn_from_running(shown.pit, static_cast<TimeNs>(a.for_s * static_cast<double>(second_ns)));
  }
  if (!learned.trouble.empty()) return report_failure("sandbox learn", learned.exit_status, learned.trouble);
  if (learned.calls.count() == 0) {
    return report_failure("sandbox learn", exit_bad,
                          "it made no system call in that time: have it called meanwhile, or take a longer --for");
  }
  print_learned(a, learned);
  return learned.calls.least_profile() ? exit_ok : exit_bad;
}

}  // namespace

void add_sandbox_command(CLI::App& app, int& exit_status) {
  CLI::App* const sandbox = app.add_subcommand("sandbox", "What a pit would need behind walls");
  sandbox->require_subcommand(1);
  CLI::App* const verb =
      sandbox->add_subcommand("learn", "The system calls that a pit makes, and which profile has them");
  auto a = std::make_shared<LearnArguments>();
  verb->add_option("what", a->what, "A pit's file (.so), or the name of a pit that a broker runs")
      ->required()
      ->type_name("FILE|PIT");
  verb->add_option("--for", a->for_s, "Seconds to watch a running pit")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  add_place_options(*verb, a->place);
  add_timeout_option(*verb, a->place);
  add_output_option(*verb, a->format);
  verb->footer(
      "A file is run behind all walls that this machine gives but the filters of system calls, each of its message\n"
      "types is called with bodies that mean nothing, and it is stopped. A running pit is watched while others call "
      "it:\n"
      "its calls take longer meanwhile. What was not called was not seen: watch real work before you choose.\n"
      "Exit status: 0 a profile suffices, 1 none does or the pit failed, 2 a wrong file, 4 no such pit, 6 the kernel\n"
      "lets this user watch nobody.");
  verb->callback([a, &exit_status] { exit_status = learn(*a); });
}

}  // namespace symphony::tools
