// symphony doctor: is this machine one for it, and is what runs here well?
#include <CLI/CLI.hpp>

#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "tools/symphony/broker_place.hpp"
#include "tools/symphony/commands.hpp"
#include "tools/symphony/doctor/leftovers.hpp"
#include "tools/symphony/doctor/machine.hpp"
#include "tools/symphony/doctor/running_broker.hpp"
#include "tools/symphony/doctor/walls.hpp"
#include "tools/symphony/exit_status.hpp"
#include "tools/symphony/programs.hpp"
#include "tools/symphony/table.hpp"

namespace symphony::tools {
namespace {

using namespace doctor;  // NOLINT(google-build-using-namespace): this command's own

struct DoctorArguments {
  BrokerPlace place;
  std::string format = "table";
};

std::string verdict_of(const Findings& all) {
  const std::size_t bad = count(all, Health::bad), notes = count(all, Health::note);
  const auto times = [](std::size_t n, const char* one, const char* more) {
    return std::to_string(n) + " " + (n == 1 ? one : more);
  };
  std::string out = bad == 0 ? "nothing is wrong" : times(bad, "thing is wrong", "things are wrong");
  if (notes != 0) out += ", " + times(notes, "note", "notes");
  return out;
}

void print_for_people(const Findings& all) {
  Table table({"area", "what", "state", "found"});
  for (const Finding& f : all) table.add_row({f.area, f.name, std::string(name_of(f.health)), f.value});
  std::string out = table.text() + "\n";
  for (const Finding& f : all) {
    if (f.health != Health::ok)
      out += fmt::format("{}: {} {}: {}\n", name_of(f.health), f.area, f.name, without_controls(f.remedy));
  }
  std::fputs((out + verdict_of(all) + "\n").c_str(), stdout);
}

void print_for_programs(const Findings& all) {
  CliJson document = document_of("doctor");
  document["healthy"] = count(all, Health::bad) == 0;
  document["findings"] = CliJson::array();
  for (const Finding& f : all) {
    document["findings"].push_back(
        {{"area", f.area}, {"name", f.name}, {"state", name_of(f.health)}, {"found", f.value}, {"remedy", f.remedy}});
  }
  print(document);
}

int examine(const DoctorArguments& arguments) {
  Findings all = look_at_kernel();
  const auto add = [&](Findings more) { all.insert(all.end(), more.begin(), more.end()); };
  add(look_at_machine());
  add(look_at_limits());
  add(look_at_walls({find_program(pit_host_program), find_pit_file("greeter")}));
  add(look_at_broker(arguments.place.options()));
  add(look_for_leftovers());
  arguments.format == "json" ? print_for_programs(all) : print_for_people(all);
  return count(all, Health::bad) == 0 ? exit_ok : exit_bad;
}

}  // namespace

void add_doctor_command(CLI::App& app, int& exit_status) {
  auto arguments = std::make_shared<DoctorArguments>();
  auto* verb = app.add_subcommand("doctor", "Look at kernel, machine, limits, walls, the broker and what is left over");
  add_place_options(*verb, arguments->place);
  add_output_option(*verb, arguments->format);
  verb->footer(
      "Changes nothing. A confined pit is run for a moment, to see which walls this machine gives. Exit status 1: "
      "something is wrong, and the text says what to do.");
  verb->callback([arguments, &exit_status] { exit_status = examine(*arguments); });
}

}  // namespace symphony::tools
