#include "tools/symphony/bench/hosting.hpp"

#include <CLI/CLI.hpp>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>

#include <symphony/clock.hpp>

#include "bench/latency/histogram.hpp"
#include "bench/support/competing.hpp"
#include "bench/support/figure.hpp"
#include "tools/symphony/bench/helper.hpp"
#include "tools/symphony/bench/hosting_rows.hpp"
#include "tools/symphony/bench/ways.hpp"
#include "tools/symphony/exit_status.hpp"
#include "tools/symphony/pit_files.hpp"
#include "tools/symphony/programs.hpp"
#include "tools/symphony/progress.hpp"
#include "tools/symphony/table.hpp"

namespace symphony::tools {
namespace {

using Json = BenchJson;

constexpr double default_rate = 5'000;
constexpr std::size_t default_size = 64;

// A folder that goes with everything in it.
class Scratch {
 public:
  Scratch() {
    std::string name = (std::filesystem::temp_directory_path() / "symphony-bench-XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~Scratch() {
    std::error_code none;
    if (!path_.empty()) std::filesystem::remove_all(path_, none);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  [[nodiscard]] bool ok() const noexcept { return !path_.empty(); }
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// One pit with one recorded work.
struct Subject {
  std::string name, file, schema, trace, replies, what;
  std::size_t size = 0;                   // of a sweep; 0: the pit's main row
  std::vector<std::vector<Json>> rounds;  // by way, then round
  bool has_baseline = false;
};

struct Effort {
  unsigned rounds;
  const char *closed_ms, *open_ms;
  std::vector<const char*> cold;
  double cell_s;  // about, for the bar
};

class Run {
 public:
  Run(const HostingArguments& arguments, std::string program) : arguments_(arguments), program_(std::move(program)) {
    if (arguments.common.quick) {
      effort_ = {3, "40", "60", {"100"}, 0.6};
    } else {
      effort_ = {10, "400", "400", {"100", "10"}, 1.7};
    }
    if (arguments.rounds != 0) effort_.rounds = arguments.rounds;
    for (const HostingWay& way : hosting_ways) {
      const bool asked = std::find(arguments.ways.begin(), arguments.ways.end(), way.name) != arguments.ways.end();
      if (arguments.ways.empty() ? way.quick || !arguments.common.quick : asked) ways_.push_back(&way);
    }
  }

  int run() {
    if (!scratch_.ok())
      return fail_bench("hosting", "no folder for what it writes in between: set TMPDIR", exit_internal);
    if (const int failed = prepare(); failed != exit_ok) return failed;
    const bench::CompetingCpu others;
    const TimeNs began = now_ns();
    measure();
    Json document = new_bench_document("bench hosting");
    document["format"] = "symphony-hosting";
    document["version"] = hosting_version;
    document["quick"] = arguments_.common.quick;
    document["rounds"] = effort_.rounds;
    document["rate"] = rate();
    document["seconds"] = static_cast<double>(now_ns() - began) / static_cast<double>(second_ns);
    document["machine"] = machine_facts();
    document["competing"] = others.share();
    document["disturbed"] = others.disturbed();
    document["pits"] = Json::array();
    document["sizes"] = Json::array();
    for (const Subject& subject : subjects_) {
      Json one{{"pit", subject.name}, {"what", subject.what}, {"modes", Json::array()}};
      if (subject.size != 0) one["size"] = subject.size;
      for (std::size_t w = 0; w < ways_.size(); ++w) one["modes"].push_back(hosting_row(*ways_[w], subject.rounds[w]));
      document[subject.size == 0 ? "pits" : "sizes"].push_back(std::move(one));
    }
    if (arguments_.to_stderr) std::fputs(hosting_table(document).c_str(), stderr);
    const int printed =
        put_out(arguments_.common, "hosting", document, arguments_.to_stderr ? "" : hosting_table(document));
    if (printed != exit_ok) return printed;
    // Of the whole comparison alone: parts of it are not what the figures' names mean.
    if (arguments_.pit.empty() && arguments_.ways.empty() && arguments_.rounds == 0 && arguments_.rate <= 0)
      write_figures(document);
    return trouble(document);
  }

 private:
  [[nodiscard]] double rate() const { return arguments_.rate > 0 ? arguments_.rate : default_rate; }

  int prepare() {
    if (!arguments_.pit.empty()) {
      const std::string file = pit_path(arguments_.pit);
      std::vector<pit::PitNote> notes;
      if (const auto read = read_notes_in(file, notes); !read.ok())
        return fail_bench("hosting", read.text, exit_status_of(read));
      add(notes[0].info.name, file, 0);
    } else {
      if (!arguments_.trace.empty())
        return fail_bench("hosting", "a trace is of one pit: name it with --pit", exit_usage);
      for (const char* name : {"mirror", "pool_manager", "dag_tracker"}) {
        const std::string file = find_pit_file(name);
        if (file.empty())
          return fail_bench("hosting", std::string(name) + ".so is not in this build's pits", exit_not_found);
        add(name, file, 0);
      }
    }
    auto sizes = arguments_.sizes;
    if (sizes.empty() && arguments_.pit.empty() && !arguments_.common.quick) sizes = {64, 1024, 4096, 65536};
    for (const std::size_t size : sizes) {
      const std::string file = find_pit_file("mirror");
      if (file.empty())
        return fail_bench("hosting", "mirror.so, the pit of the sizes, is not in this build's pits", exit_not_found);
      add("mirror", file, size);
    }
    for (Subject& subject : subjects_) {
      if (const int failed = record(subject); failed != exit_ok) return failed;
    }
    return exit_ok;
  }
  void add(const std::string& name, const std::string& file, std::size_t size) {
    Subject& one = subjects_.emplace_back();
    one.name = name;
    one.file = file;
    one.size = size;
    const std::string tag = name + "." + std::to_string(subjects_.size());
    one.trace = scratch_.file(tag + ".trace");
    one.replies = scratch_.file(tag + ".replies");
    one.rounds.resize(ways_.size());
    if (size == 0 && !arguments_.schema.empty()) {
      one.schema = arguments_.schema;
    } else if (arguments_.pit.empty() || size != 0 || name == "mirror") {
      one.schema = own_schema(name);
    }
  }
  // Of a pit of the source tree that this program was built in; empty where that is elsewhere.
  [[nodiscard]] std::string own_schema(const std::string& name) const {
    const auto tree = std::filesystem::path(program_).parent_path() / "../../..";
    const std::string file = (tree / (name == "mirror" ? "bench/decision" : "schemas") / (name + ".fbs")).string();
    std::error_code none;
    return std::filesystem::exists(file, none) ? file : "";
  }
  int record(Subject& subject) {
    if (!arguments_.trace.empty()) {
      subject.trace = arguments_.trace;
      return exit_ok;  // it is looked at where it is replayed first
    }
    std::string graph = arguments_.graph;
    if (graph.empty()) graph = "/var/lib/dpkg/status";
    const Printed printed = run_helper({program_, "--pit", subject.file, "--record", subject.trace, "--graph", graph,
                                        "--size", std::to_string(subject.size != 0 ? subject.size : default_size)});
    if (printed.status != 0) return fail_bench("hosting", printed.fault, exit_usage);
    if (!arguments_.save_trace.empty() && subject.size == 0) {
      std::error_code failed;
      std::filesystem::copy_file(subject.trace, arguments_.save_trace,
                                 std::filesystem::copy_options::overwrite_existing, failed);
      if (failed) return fail_bench("hosting", arguments_.save_trace + ": " + failed.message(), exit_usage);
    }
    return exit_ok;
  }

  [[nodiscard]] unsigned rounds_of(const Subject& subject) const {
    return subject.size == 0 ? effort_.rounds : std::min(effort_.rounds, 3U);
  }
  void measure() {
    std::size_t cells = 0;
    for (const Subject& subject : subjects_) cells += rounds_of(subject) * ways_.size();
    Progress progress("hosting", cells, 2, true);
    for (unsigned round = 0; round < effort_.rounds; ++round) {
      for (Subject& subject : subjects_) {
        if (round >= rounds_of(subject)) continue;
        for (std::size_t k = 0; k < ways_.size(); ++k) {
          // The first round goes in order: it finds the baseline.
          const std::size_t w = (k + round) % ways_.size();
          cell(subject, w, round);
          progress.advance();
        }
      }
    }
  }
  void cell(Subject& subject, std::size_t w, unsigned round) {
    std::vector<Json>& before = subject.rounds[w];
    if (!before.empty() && before.back()["status"] != "ok") return;  // once is enough
    std::vector<std::string> words{program_,  "--mode",     std::string(ways_[w]->name), "--pit", subject.file,
                                   "--trace", subject.trace};
    const auto more = [&](const char* name, const std::string& value) { words.insert(words.end(), {name, value}); };
    more(subject.has_baseline ? "--expect" : "--baseline", subject.replies);
    if (!subject.schema.empty()) more("--schema", subject.schema);
    more("--closed-ms", subject.size == 0 ? effort_.closed_ms : "60");
    if (subject.size == 0) {
      more("--open-ms", effort_.open_ms);
      more("--rate", fmt::format("{}", rate()));
      for (const char* hz : effort_.cold) more("--cold", hz);
      if (round == 0 && !arguments_.common.quick) more("--cold", "1");
    }
    const Printed printed = run_helper(words);
    Json result = Json::parse(printed.out, nullptr, false);
    if (printed.status != 0 || !result.is_object()) {
      result = {{"status", "failed"}, {"why", printed.fault.empty() ? "it printed no result" : printed.fault}};
    }
    if (result["status"] == "ok") {
      subject.has_baseline = true;
      subject.what = result.value("what", subject.what);
    } else {
      std::fprintf(stderr, "symphony bench hosting: %s, %s: %s\n", subject.name.c_str(), ways_[w]->name.data(),
                   without_controls(result.value("why", "")).c_str());
    }
    before.push_back(std::move(result));
  }

  // What went wrong is named already; here it becomes the exit status.
  int trouble(const Json& document) const {
    int out = exit_ok;
    for (const Json& pit : document["pits"]) {
      for (const Json& row : pit["modes"]) {
        const bool asked = !arguments_.ways.empty() && row["status"] == "not_hosted";
        if (row["status"] == "failed" || asked) out = exit_bad;
        if (arguments_.rate > 0 && row.contains("open") && row["open"]["missed"] == true) {
          out = exit_bad;
          fail_bench("hosting",
                     fmt::format("{}, {}: slower than the rate asked for: {:.0f} of {:.0f} calls a second",
                                 pit["pit"].get<std::string>(), row["mode"].get<std::string>(),
                                 row["open"]["reached"].get<double>(), arguments_.rate),
                     exit_bad);
        }
      }
    }
    return out;
  }

  static Json machine_facts() {
    const auto host = bench::this_host();
    const auto line = [](const char* path) {
      std::ifstream file(path);
      std::string text;
      return std::getline(file, text) ? text : std::string("not told");
    };
    using Wall = std::chrono::system_clock;  // allowed: for a person who reads it
    return {{"cpu", host.cpu},
            {"cores", host.cores},
            {"kernel", host.kernel},
            {"governor", line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")},
            {"isolated", line("/sys/devices/system/cpu/isolated")},
            {"date", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(Wall::to_time_t(Wall::now())))}};
  }

  void write_figures(const Json& document) const {
    for (const Json& row : document["pits"][0]["modes"]) {
      if (row["status"] != "ok" || !row.contains("open") || row["open"]["missed"] == true) continue;
      bench::Figure figure;
      figure.name = "decision.p99_ns." + figure_word(row["mode"].get<std::string>());
      figure.value = row["open"]["p99_ns"].get<double>();
      figure.unit = "ns";
      figure.n = row["open"]["n"].get<std::uint64_t>();
      figure.seconds = document["seconds"].get<double>();
      figure.note = fmt::format("{} at {} calls a second; {}{}", document["pits"][0]["pit"].get<std::string>(), rate(),
                                row["trust"].get<std::string>(),
                                document["disturbed"] == true ? "; others used the processors" : "");
      (void)bench::write_figure(figure);
    }
    if (!arguments_.common.quick) return;
    bench::Figure quick;
    quick.name = "decision.quick_s";
    quick.value = quick.seconds = document["seconds"].get<double>();
    quick.unit = "s";
    quick.n = 1;
    quick.note = "symphony bench hosting --quick";
    (void)bench::write_figure(quick);
  }
  static std::string figure_word(std::string mode) {
    for (char& c : mode) {
      if (c == '+') c = '_';
    }
    return mode;
  }

  const HostingArguments& arguments_;
  const std::string program_;
  Effort effort_{};
  Scratch scratch_;
  std::vector<const HostingWay*> ways_;
  std::vector<Subject> subjects_;
};

}  // namespace

int bench_hosting(const HostingArguments& arguments) {
  std::string program = find_program("bench_decision");
  if (program.empty())
    return fail_bench("hosting", "bench_decision is not beside this program: build it", exit_not_found);
  return Run(arguments, std::move(program)).run();
}

void add_hosting_verb(CLI::App& bench, int& exit_status) {
  auto arguments = std::make_shared<HostingArguments>();
  auto* verb = bench.add_subcommand("hosting", "The same recorded work in every way of hosting a pit");
  verb->add_option("--pit", arguments->pit, "A pit's .so, or the name of one of this build (three of this build)")
      ->type_name("FILE");
  verb->add_option("--trace", arguments->trace, "Recorded work for it, as --save-trace writes it")
      ->type_name("FILE")
      ->check(CLI::ExistingFile);
  verb->add_option("--save-trace", arguments->save_trace, "Keep the work that was recorded for --pit")
      ->type_name("FILE")
      ->needs(verb->get_option("--pit"));
  verb->add_option("--schema", arguments->schema, "The pit's .fbs, for the row that speaks JSON")
      ->type_name("FILE")
      ->check(CLI::ExistingFile);
  verb->add_option("--graph", arguments->graph, "For DagTracker: a graph of tasks (/var/lib/dpkg/status)")
      ->type_name("FILE");
  std::vector<std::string> names;
  for (const HostingWay& way : hosting_ways) names.emplace_back(way.name);
  verb->add_option("--mode", arguments->ways, "Only this way; may be given again")->check(CLI::IsMember(names));
  verb->add_option("--rate", arguments->rate, "Calls a second of the run at a fixed rate (5000)")
      ->check(CLI::Range(1.0, 1e7));
  verb->add_option("--sizes", arguments->sizes, "Bytes of messages of the empty pit: a row for each")
      ->delimiter(',')
      ->check(CLI::Range(1, 65536));
  verb->add_option("--rounds", arguments->rounds, "Fresh processes of each (10, with --quick 3)")
      ->check(CLI::Range(2, 1000));
  verb->add_option("-o,--output", arguments->common.format, "table, or json: one document")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  verb->add_option("--out,--save", arguments->common.save, "Also write the JSON document to this file")
      ->type_name("FILE");
  verb->add_option("--results", arguments->common.results,
                   "Also write it into this folder, named by what was measured, machine and commit")
      ->type_name("DIR")
      ->check(CLI::ExistingDirectory);
  verb->add_flag("--quick", arguments->common.quick, "A minute at most, fewer rounds");
  verb->footer(
      "Each cell is a process of its own; ways take turns, round by round, and a ratio is over the round trip of a "
      "cache\n"
      "line measured between the same calls. Replies are compared byte for byte with the first way's (of JSON: as "
      "JSON):\n"
      "a way that differs is failed. A way that crashes, or cannot be had, is named and the others go on. Calls at a "
      "rate\n"
      "count from when they were to be made. About ten minutes.\n"
      "Exit status 1: a way failed, or was slower than the --rate asked for.");
  verb->callback([arguments, &exit_status] { exit_status = bench_hosting(*arguments); });
}

}  // namespace symphony::tools
