#include "tools/symphony/pit_logs.hpp"

#include <CLI/CLI.hpp>

#include <poll.h>

#include <cstdio>
#include <deque>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "tools/symphony/broker_place.hpp"
#include "tools/symphony/log_reader.hpp"
#include "tools/symphony/table.hpp"

namespace symphony::tools {
namespace {

constexpr std::size_t lines_max = 1'000'000;
constexpr int look_again_ms = 50;

struct LogArguments {
  BrokerPlace place{.timeout_s = 1};
  std::string pit;
  std::string folder;
  std::size_t lines = 0;
  bool follow = false;
  std::string format = "table";
};

// What a pit wrote may be anything: nothing of it reaches the terminal as a command.
void print_line(const std::string& line) {
  std::string out;
  for (std::size_t from = 0; from <= line.size();) {
    const auto tab = std::min(line.find('\t', from), line.size());
    out += without_controls(std::string_view(line).substr(from, tab - from));
    if (tab < line.size()) out += '\t';
    from = tab + 1;
  }
  std::fputs((out + "\n").c_str(), stdout);
}

int logs(const LogArguments& arguments) {
  constexpr std::string_view verb = "pit logs";
  if (arguments.pit.empty() || arguments.pit.find('/') != std::string::npos) {
    return report_failure(verb, exit_usage,
                          "a pit's name has no /; a log that was kept elsewhere is found with --logs FOLDER");
  }
  if (arguments.follow && arguments.format == "json") {
    return report_failure(verb, exit_usage,
                          "with -f lines come for ever, which is no document: leave out -o json, or -f");
  }
  // The broker knows best; where there is none, its logs are still there.
  OperatorAnswer known;
  std::string path;
  if (arguments.folder.empty()) {
    if (auto broker = Operator::connect(arguments.place.options())) {
      known = broker->show(arguments.pit, arguments.place.timeout_ns());
      if (known.ok() && known.pit.log.empty()) {
        return report_failure(verb, exit_not_found,
                              "this broker keeps no logs: what its pits say is on its own stderr");
      }
      path = known.pit.log;
    }
  }
  const std::string folder = arguments.folder.empty() ? default_log_folder(arguments.place) : arguments.folder;
  if (path.empty()) path = folder + "/" + arguments.pit + ".log";
  auto reader = LogReader::open(path);
  if (!reader && known.code == errc::not_found) {
    return report_failure(verb, exit_not_found, with_suggestion(known.text, arguments.place, arguments.pit));
  }
  if (!reader)
    return report_failure(verb, exit_not_found,
                          "there is no log " + path + ": name a pit of a broker, or --logs FOLDER");
  std::deque<std::string> last;
  const auto keep = [&](std::string line) {
    last.push_back(std::move(line));
    if (last.size() > (arguments.lines == 0 ? lines_max : arguments.lines)) last.pop_front();
  };
  while (auto line = reader->try_next()) keep(*std::move(line));
  if (!arguments.follow) {
    if (std::string rest = reader->rest(); !rest.empty()) keep(std::move(rest));
  }
  if (arguments.format == "json") {
    CliJson document = document_of(verb);
    document["pit"] = arguments.pit;
    document["file"] = path;
    document["lines"] = last;
    print(document);
    return exit_ok;
  }
  for (const std::string& line : last) print_line(line);
  while (arguments.follow && std::fflush(stdout) == 0) {  // until it is interrupted, or nobody reads
    (void)::poll(nullptr, 0, look_again_ms);
    while (auto line = reader->try_next()) print_line(*line);
  }
  return exit_ok;
}

}  // namespace

void add_pit_logs_verb(CLI::App& pit, int& exit_status) {
  auto arguments = std::make_shared<LogArguments>();
  auto* verb =
      pit.add_subcommand("logs", "What a broker's pit wrote to stderr, as far as it is kept; also without the broker");
  verb->add_option("pit", arguments->pit, "Its name")->required()->type_name("NAME");
  verb->add_option("-n,--lines", arguments->lines, "Only the last so many lines")
      ->check(CLI::Range(std::size_t{1}, lines_max))
      ->type_name("N");
  verb->add_flag("-f,--follow", arguments->follow, "Go on with what comes, until it is interrupted");
  verb->add_option("--logs", arguments->folder,
                   "Where they are, instead of where the broker says or keeps them by default")
      ->type_name("FOLDER");
  add_place_options(*verb, arguments->place);
  add_timeout_option(*verb, arguments->place);
  add_output_option(*verb, arguments->format);
  verb->footer(
      "1 MiB is kept, and two older files of that size. Control characters are shown as ?; the files have what was "
      "written.");
  verb->callback([arguments, &exit_status] { exit_status = logs(*arguments); });
}

}  // namespace symphony::tools
