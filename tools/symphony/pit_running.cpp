#include "tools/symphony/pit_running.hpp"

#include <CLI/CLI.hpp>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tools/symphony/table.hpp"

namespace symphony::tools {
namespace {

std::string signal_text(int number) {
  const char* name = ::sigabbrev_np(number);
  return name != nullptr ? std::string("SIG") + name : std::to_string(number);
}

// Empty: nobody said so.
std::string executing_text(const PitDeath& d) {
  if (d.executing_count == 0) return {};
  std::string text =
      fmt::format("message {} of link {}, type {:#010x}", d.executing.id, d.executing.link, d.executing.type);
  if (d.executing_count > 1) text += fmt::format(", and {} more", d.executing_count - 1);
  return text;
}

std::string_view trust_text(Trust trust) {
  return trust == Trust::trusted ? "trusted" : trust == Trust::cooperative ? "cooperative" : "hostile";
}

double seconds(TimeNs ns) { return static_cast<double>(ns) / static_cast<double>(second_ns); }

CliJson json_of_blocks(SandboxBlocks blocks) {
  CliJson out = CliJson::array();
  for (std::size_t i = 0; i < sandbox_block_count; ++i) {
    if ((blocks >> i & 1) != 0) out.push_back(sandbox_block_names[i]);
  }
  return out;
}

// What of all walls does not stand, rather than the long list of those that do.
std::string sandbox_text(const PitReport& r) {
  if (r.sandbox.profile == SandboxProfile::none) return "none";
  const std::string profile(name_of(r.sandbox.profile));
  if (r.sandbox_reached == 0) return profile + ", not reached";
  const SandboxBlocks missing = sandbox_all_blocks & ~r.sandbox_reached;
  return missing == 0 ? profile + ", all walls" : profile + ", all walls but " + names_of(missing);
}

// The broker knows types by number.
CliJson json_of_budgets(const PitReport& r) {
  CliJson types = CliJson::array();
  for (const TimeBudgets::OfType& one : r.budgets.of_types)
    types.push_back({{"type", one.type}, {"s", seconds(one.ns)}});
  CliJson out{{"each_s", nullptr}, {"types", std::move(types)}};
  if (r.budgets.each_ns != 0) out["each_s"] = seconds(r.budgets.each_ns);
  return out;
}

CliJson json_of_rings(const RingSizes& rings) {
  CliJson out{{"request_capacity", nullptr}, {"reply_capacity", nullptr}};
  if (rings.request_capacity != 0) out["request_capacity"] = rings.request_capacity;
  if (rings.reply_capacity != 0) out["reply_capacity"] = rings.reply_capacity;
  return out;
}

std::string rings_text(const RingSizes& rings) {
  const auto one = [](std::uint32_t capacity) {
    return capacity == 0 ? std::string("256 KiB") : std::to_string(capacity) + " bytes";
  };
  return "requests " + one(rings.request_capacity) + ", replies " + one(rings.reply_capacity) +
         ", where the caller names none";
}

std::string budgets_text(const PitReport& r) {
  std::string text = r.budgets.each_ns == 0 ? "no end" : duration_text(r.budgets.each_ns);
  text += " a request";
  for (const TimeBudgets::OfType& one : r.budgets.of_types) {
    text += fmt::format(", {} of type {:#010x}", duration_text(one.ns), one.type);
  }
  return text + fmt::format("; {} overran and were cancelled, {} hung", r.overruns, r.hangs);
}

CliJson json_of_report(const PitReport& r) {
  CliJson one{{"name", r.info.name},
              {"state", r.info.state},
              {"reason", r.reason},
              {"pid", r.info.pid},
              {"instance", r.info.instance},
              {"version", r.version},
              {"ready_since", nullptr},
              {"links", r.info.links},
              {"executable", r.executable},
              {"arguments", r.arguments},
              {"trust", trust_text(r.trust)},
              {"sandbox",
               {{"profile", name_of(r.sandbox.profile)},
                {"required", json_of_blocks(r.sandbox.required)},
                {"reached", json_of_blocks(r.sandbox_reached)}}},
              {"waiting", name_of(r.waiting)},
              {"placement", name_of(r.placement)},
              {"start_at_once", r.start_at_once},
              {"calls", r.calls},
              {"restart",
               {{"failures_max", r.restart.failures_max},
                {"window_s", seconds(r.restart.window_ns)},
                {"backoff_first_s", seconds(r.restart.backoff_first_ns)},
                {"backoff_max_s", seconds(r.restart.backoff_max_ns)},
                {"start_timeout_s", seconds(r.restart.start_timeout_ns)},
                {"strategy", name_of(r.restart.strategy)},
                {"exceptions_max", nullptr},
                {"fallback", nullptr}}},
              {"rings", json_of_rings(r.rings)},
              {"budgets", json_of_budgets(r)},
              {"overruns", r.overruns},
              {"hangs", r.hangs},
              {"failures", r.failures},
              {"log", nullptr},
              {"log_lines_lost", r.log_lines_lost},
              {"dead_letters", r.letters},
              {"dead_letters_lost", r.letters_lost},
              {"runs_alone", r.runs_alone},
              {"deaths", CliJson::array()}};
  if (r.ready_since_ns != 0) one["ready_since"] = wall_time(r.ready_since_ns);
  if (!r.log.empty()) one["log"] = r.log;
  if (r.restart.exceptions_max != 0) one["restart"]["exceptions_max"] = r.restart.exceptions_max;
  if (!r.restart.fallback.empty()) one["restart"]["fallback"] = r.restart.fallback;
  for (const PitDeath& d : r.deaths) one["deaths"].push_back(json_of_death(d));
  return one;
}

void print_report(const PitReport& r) {
  std::string calls;
  for (const std::string& name : r.calls) calls.append(calls.empty() ? "" : " ").append(name);
  Table facts({"", ""});
  facts.add_row({"pit", r.info.name});
  facts.add_row({"state", r.reason.empty() ? r.info.state : r.info.state + ": " + r.reason});
  if (r.ready_since_ns != 0) {
    facts.add_row({"ready since",
                   fmt::format("{} ({})", wall_time(r.ready_since_ns), duration_text(now_ns() - r.ready_since_ns))});
  }
  facts.add_row({"process", r.info.pid == 0 ? "none" : std::to_string(r.info.pid)});
  facts.add_row({"instance", std::to_string(r.info.instance) + (r.version.empty() ? "" : ", version " + r.version)});
  facts.add_row({"links", std::to_string(r.info.links)});
  facts.add_row({"executable", r.arguments.empty() ? r.executable : r.executable + " " + r.arguments});
  facts.add_row({"trust", std::string(trust_text(r.trust))});
  facts.add_row({"sandbox", sandbox_text(r)});
  facts.add_row({"waiting", fmt::format("{}, placement {}", name_of(r.waiting), name_of(r.placement))});
  facts.add_row({"started", r.start_at_once ? "with the broker" : "when somebody opens it"});
  facts.add_row({"calls", calls.empty() ? "nobody" : calls});
  facts.add_row({"restart", fmt::format("{} of {} failures within {}, then quarantine; ready within {}", r.failures,
                                        r.restart.failures_max, duration_text(r.restart.window_ns),
                                        duration_text(r.restart.start_timeout_ns))});
  facts.add_row({"", fmt::format("the next try comes after {}, then twice that, up to {}",
                                 duration_text(r.restart.backoff_first_ns), duration_text(r.restart.backoff_max_ns))});
  if (r.restart.strategy == RestartStrategy::rest_for_one) facts.add_row({"", "with each of its calls (rest_for_one)"});
  if (r.restart.exceptions_max != 0)
    facts.add_row({"", fmt::format("{} exceptions within that time are a failure", r.restart.exceptions_max)});
  if (!r.restart.fallback.empty()) facts.add_row({"fallback", r.restart.fallback + ", while it is quarantined"});
  if (r.rings != RingSizes{}) facts.add_row({"rings", rings_text(r.rings)});
  if (!r.budgets.empty()) facts.add_row({"budgets", budgets_text(r)});
  facts.add_row({"log", r.log.empty() ? "the broker's own stderr" : r.log});
  if (r.log_lines_lost != 0) facts.add_row({"lines lost", count_text(r.log_lines_lost)});
  if (r.letters + r.letters_lost + r.runs_alone != 0) {
    facts.add_row({"dead letters", fmt::format("{}, {} lost; {} tried alone (symphony dlq list {})", r.letters,
                                               r.letters_lost, r.runs_alone, r.info.name)});
  }
  std::fputs(facts.text(false).c_str(), stdout);
  if (r.deaths.empty()) return;
  Table deaths({"died at", "instance", "cause", "how", "ready for", "executing"});
  for (const PitDeath& d : r.deaths) {
    deaths.add_row({wall_time(d.at_ns), std::to_string(d.instance), std::string(name_of(d.cause)), how_text(d),
                    d.ready_ns < 0 ? "never" : duration_text(d.ready_ns), executing_text(d)});
  }
  std::fputs(("\n" + deaths.text()).c_str(), stdout);
  if (const std::string& core = r.deaths.back().core; !core.empty())
    std::fputs(("\nits core dump: " + core + "\n").c_str(), stdout);
  const std::string& last = r.deaths.back().last_lines;
  if (last.empty()) return;
  std::fputs(("\nits last lines" + (r.log.empty() ? std::string() : ", of " + r.log) + ":\n").c_str(), stdout);
  std::fputs(indented_lines(last).c_str(), stdout);
}

// What came of asking, where it is not what was asked for.
int refused(const std::string& verb, const OperatorAnswer& answer, const BrokerPlace& place, const std::string& pit) {
  const bool unknown = answer.code == errc::not_found;
  return report_failure(verb, exit_status_of(answer), unknown ? with_suggestion(answer.text, place, pit) : answer.text);
}

struct RunningArguments {
  BrokerPlace place{.timeout_s = 30};
  std::string pit;
  double grace_s = 2;
  std::string file;
  std::string mode = "process";
  double pause_s = 1;
  double probation_s = 0;
  bool rehearse = false;
  std::string format = "table";
};

using Ask = OperatorAnswer (*)(Operator&, const RunningArguments&);

int command(const std::string& verb, const RunningArguments& arguments, Ask ask) {
  auto broker = Operator::connect(arguments.place.options());
  if (!broker) return report_failure("pit " + verb, exit_status_of(broker.error().code), broker.error().text);
  const OperatorAnswer answer = ask(*broker, arguments);
  if (!answer.ok()) return refused("pit " + verb, answer, arguments.place, arguments.pit);
  const PitInfo& now = answer.pit.info;
  if (arguments.format == "json") {
    CliJson document = document_of("pit " + verb);
    document["pit"] = json_of_pits({now})[0];
    const auto seconds = [](TimeNs ns) { return static_cast<double>(ns) / static_cast<double>(second_ns); };
    if (verb == "swap") document["pause_s"] = seconds(answer.pause_ns);
    if (arguments.rehearse) document["rehearsed_s"] = seconds(answer.rehearsed_ns);
    print(document);
  } else if (verb == "swap" && answer.pause_ns != 0) {
    const std::string rehearsed =
        answer.rehearsed_ns == 0 ? "" : " (rehearsed: " + duration_text(answer.rehearsed_ns) + ", their links apart)";
    std::printf("%s is %s: instance %u, process %d; calls waited for at most %s%s\n", now.name.c_str(),
                now.state.c_str(), now.instance, now.pid, duration_text(answer.pause_ns).c_str(), rehearsed.c_str());
  } else if (now.pid == 0) {
    std::printf("%s is %s\n", now.name.c_str(), now.state.c_str());
  } else {
    std::printf("%s is %s: instance %u, process %d\n", now.name.c_str(), now.state.c_str(), now.instance, now.pid);
  }
  return exit_ok;
}

TimeNs at_least_1_ns(double seconds) {  // 0 would mean: as the broker likes
  return std::max<TimeNs>(1, static_cast<TimeNs>(seconds * static_cast<double>(second_ns)));
}
TimeNs grace_of(const RunningArguments& arguments) { return at_least_1_ns(arguments.grace_s); }

int swap_command(RunningArguments& arguments) {
  if (arguments.mode != "process") {
    return report_failure("pit swap", exit_usage,
                          "a broker's pits are processes: a program that hosts a pit itself changes its mode with "
                          "Conductor::swap");
  }
  if (!arguments.file.empty()) {
    std::error_code failed;
    const auto path = std::filesystem::canonical(arguments.file, failed);
    if (failed) {
      return report_failure("pit swap", exit_usage,
                            arguments.file + ": " + failed.message() + "; name the file of the pit's new build");
    }
    arguments.file = path.string();
  }
  return command("swap", arguments, [](Operator& broker, const RunningArguments& a) {
    const auto probation_ns = static_cast<TimeNs>(a.probation_s * static_cast<double>(second_ns));
    return broker.swap(a.pit, a.file, a.place.timeout_ns() + probation_ns, at_least_1_ns(a.pause_s), probation_ns,
                       a.rehearse);
  });
}

}  // namespace

std::string wall_time(TimeNs at_ns) {
  if (at_ns == 0) return "an earlier run of the machine";
  using Wall = std::chrono::system_clock;  // allowed: for a person who reads it
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}",
                     fmt::gmtime(Wall::to_time_t(Wall::now() - std::chrono::nanoseconds(now_ns() - at_ns))));
}

std::string how_text(const PitDeath& d) {
  if (d.cause == DeathCause::unseen) return "while no broker ran";
  if (d.cause == DeathCause::cannot_start) return std::strerror(d.value);
  if (d.cause == DeathCause::swap) return "replaced";
  return d.signalled ? signal_text(d.value) : fmt::format("status {}", d.value);
}

CliJson json_of_death(const PitDeath& d) {
  CliJson one{{"at", wall_time(d.at_ns)}, {"instance", d.instance},     {"cause", name_of(d.cause)},
              {"how", how_text(d)},       {"signal", nullptr},          {"status", nullptr},
              {"ready_s", nullptr},       {"last_lines", d.last_lines}, {"executing", nullptr},
              {"core", nullptr}};
  if (!d.core.empty()) one["core"] = d.core;
  if (d.signalled) one["signal"] = d.value;
  const bool has_status =
      d.cause != DeathCause::unseen && d.cause != DeathCause::cannot_start && d.cause != DeathCause::swap;
  if (!d.signalled && has_status) one["status"] = d.value;
  if (d.executing_count != 0) {
    one["executing"] = {{"link", d.executing.link}, {"id", d.executing.id},           {"type", d.executing.type},
                        {"size", d.executing.size}, {"attempt", d.executing.attempt}, {"count", d.executing_count}};
  }
  if (d.ready_ns >= 0) one["ready_s"] = static_cast<double>(d.ready_ns) / static_cast<double>(second_ns);
  return one;
}

std::string indented_lines(const std::string& text) {
  std::string out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) out += "  " + without_controls(line) + "\n";
  return out;
}

int list_running(const BrokerPlace& place, const std::string& format) {
  const auto failed = [](const error& e) { return report_failure("pit list", exit_status_of(e.code), e.text); };
  auto endpoint = Endpoint::connect(place.options());
  if (!endpoint) return failed(endpoint.error());
  const auto state = endpoint->status(place.timeout_ns());
  if (!state) return failed(state.error());
  if (format == "json") {
    CliJson document = document_of("pit list");
    document["pits"] = json_of_pits(state->pits);
    print(document);
  } else {
    std::fputs(table_of_pits(state->pits).c_str(), stdout);
  }
  return exit_ok;
}

int show_running(const BrokerPlace& place, const std::string& pit, const std::string& format) {
  auto broker = Operator::connect(place.options());
  if (!broker) {
    return report_failure(
        "pit show", exit_status_of(broker.error().code),
        std::string(broker.error().text) + "; for the file of a pit of this build: --files, or its path");
  }
  const OperatorAnswer answer = broker->show(pit, place.timeout_ns());
  if (!answer.ok()) return refused("pit show", answer, place, pit);
  if (format == "json") {
    CliJson document = document_of("pit show");
    document["pit"] = json_of_report(answer.pit);
    print(document);
  } else {
    print_report(answer.pit);
  }
  return exit_ok;
}

void add_pit_running_verbs(CLI::App& pit, int& exit_status) {
  auto arguments = std::make_shared<RunningArguments>();
  const auto add = [&](const char* name, const char* help, bool has_grace, Ask ask) {
    auto* verb = pit.add_subcommand(name, help);
    verb->add_option("pit", arguments->pit, "Its name")->required()->type_name("NAME");
    if (has_grace) {
      verb->add_option("--grace", arguments->grace_s, "Seconds it has to end by itself, then it is killed")
          ->check(CLI::Range(0.0, 3600.0))
          ->capture_default_str();
    }
    add_place_options(*verb, arguments->place);
    add_timeout_option(*verb, arguments->place);
    add_output_option(*verb, arguments->format);
    verb->callback(
        [arguments, &exit_status, name = std::string(name), ask] { exit_status = command(name, *arguments, ask); });
  };
  add("start", "Start a broker's pit, also one that is quarantined; returns when it is ready", false,
      [](Operator& broker, const RunningArguments& a) { return broker.start(a.pit, a.place.timeout_ns()); });
  add("stop", "Stop a broker's pit, which stays stopped until it is started; returns when its process is gone", true,
      [](Operator& broker, const RunningArguments& a) {
        return broker.stop(a.pit, a.place.timeout_ns(), grace_of(a));
      });
  add("restart", "Stop and start a broker's pit; its links go on with the next instance", true,
      [](Operator& broker, const RunningArguments& a) {
        return broker.restart(a.pit, a.place.timeout_ns(), grace_of(a));
      });
  auto* swap = pit.add_subcommand(
      "swap", "Put a new process in the place of a broker's pit, which serves until the new one has its state");
  swap->add_option("pit", arguments->pit, "Its name")->required()->type_name("NAME");
  swap->add_option("file", arguments->file, "Its new build; without it the file it runs now, read anew")
      ->type_name("FILE");
  swap->add_option("--mode", arguments->mode, "How it is to be hosted; a broker's pits are processes")
      ->check(CLI::IsMember({"static", "dynamic", "wasm", "process"}))
      ->capture_default_str();
  swap->add_option("--pause", arguments->pause_s, "Seconds that calls may have to wait; else it goes on as it was")
      ->check(CLI::Range(0.001, 3600.0))
      ->capture_default_str();
  swap->add_flag(
      "--rehearse", arguments->rehearse,
      "Try it first with a copy of the state, while the pit serves: a difference or a failure ends it there");
  swap->add_option("--probation", arguments->probation_s,
                   "Seconds to wait and see: dying sooner, the pit goes on from the file before; 0: none")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  add_place_options(*swap, arguments->place);
  add_timeout_option(*swap, arguments->place);
  add_output_option(*swap, arguments->format);
  swap->callback([arguments, &exit_status] { exit_status = swap_command(*arguments); });
}

}  // namespace symphony::tools
