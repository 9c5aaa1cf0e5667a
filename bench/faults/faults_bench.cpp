// bench_faults: cells of the containment matrix, one after the other, a line of JSON each.   Layer: bench.
//
//   bench_faults --list                              the cells there are
//   bench_faults [--mode M] [--fault F] [--patience MS] [--keep-promises yes]
//
// Exit status: 0 each cell was run or says why not, 1 with --keep-promises: a cell broke one, 2 wrong arguments. With
// --host it is the host of a cell (host.hpp).
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string_view>

#include "bench/faults/host.hpp"
#include "bench/faults/matrix.hpp"

namespace symphony::faults {
namespace {

using Json = nlohmann::ordered_json;

Json signal_json(int number) {
  if (number == 0) return nullptr;
  const char* const name = ::sigabbrev_np(number);
  return name != nullptr ? "SIG" + std::string(name) : std::to_string(number);
}

const char* trust_text(Trust trust) {
  return trust == Trust::trusted ? "trusted" : trust == Trust::cooperative ? "cooperative" : "hostile";
}

// Of the process that held the culprit: in modes of one process that is the host's.
Json json_of(const Hosting& hosting, Fault fault, const Observation& seen) {
  const bool is_apart = hosting.mode == Mode::process;
  const auto round = [](double ms) { return static_cast<double>(static_cast<std::int64_t>(ms * 100)) / 100; };
  Json cell{
      {"mode", to_string(hosting.mode)},
      {"profile", nullptr},
      {"trust", trust_text(trust_of(hosting))},
      {"fault", facts_of(fault).name},
      {"class", name_of(classify(seen))},
      {"service_back_ms", nullptr},
      {"signal", signal_json(is_apart ? seen.pit_signal : seen.host_signal)},
      {"exit", nullptr},
      {"pid", seen.pid},
      {"host_pid", seen.host_pid},
      {"test", test_of(hosting, fault)},
      {"ending", seen.ending},
      {"death", seen.death},
      {"host_signal", signal_json(seen.host_signal)},
      {"host_exit", seen.host_exit},
      {"host_trouble", seen.ill},
      {"canary_changed", seen.canary_changed},
      {"secret_read", seen.secret_read},
      {"socket_reached", seen.socket_reached},
      {"processes", seen.processes},
      {"honest",
       {{"calls", seen.honest_calls}, {"failed", seen.honest_failed}, {"longest_ms", round(seen.honest_longest_ms)}}},
      {"output", seen.output},
      {"not_run", nullptr}};
  if (hosting.profile != SandboxProfile::none) cell["profile"] = name_of(hosting.profile);
  if (seen.service_back_ms && classify(seen) == Class::contained)
    cell["service_back_ms"] = round(*seen.service_back_ms);
  if (is_apart && seen.pit_exit) cell["exit"] = *seen.pit_exit;
  if (!is_apart && !seen.said_all && seen.host_signal == 0 && seen.not_run.empty()) cell["exit"] = seen.host_exit;
  if (!seen.not_run.empty()) cell["not_run"] = seen.not_run;
  return cell;
}

int list() {
  Json all{
      {"build", SYMPHONY_BUILD_TYPE}, {"compiler", __VERSION__}, {"modes", Json::array()}, {"faults", Json::array()}};
  for (const Hosting& hosting : all_hostings()) all["modes"].push_back(name_of(hosting));
  for (std::uint32_t f = 0; f < fault_count; ++f) {
    const FaultFacts& facts = facts_of(static_cast<Fault>(f));
    all["faults"].push_back({{"name", facts.name}, {"what", facts.what}});
  }
  return std::printf("%s\n", all.dump().c_str()) < 0 ? 1 : 0;
}

int usage() {
  std::fputs("usage: bench_faults --list | [--mode MODE] [--fault FAULT] [--patience MS] [--keep-promises yes]\n",
             stderr);
  return 2;
}

bool read_number(const char* text, std::uint32_t& out) {
  const char* const end = text + std::strlen(text);
  const auto [at, error] = std::from_chars(text, end, out);
  return error == std::errc{} && at == end;
}

// --host MODE FAULT REPORT-FD PORT SECRET PATIENCE
int host(char** words) {
  const auto hosting = hosting_of(words[0]);
  const auto fault = fault_of(words[1]);
  std::uint32_t report_fd = 0, port = 0, patience_ms = 0;
  if (!hosting || !fault || !read_number(words[2], report_fd) || !read_number(words[3], port) ||
      !read_number(words[5], patience_ms))
    return usage();
  return be_host(
      {*hosting, *fault, static_cast<int>(report_fd), static_cast<std::uint16_t>(port), words[4], patience_ms});
}

int run(int argc, char** argv) {
  if (argc == 8 && std::string_view(argv[1]) == "--host") return host(argv + 2);
  if (argc == 2 && std::string_view(argv[1]) == "--list") return list();
  std::optional<Hosting> only_mode;
  std::optional<Fault> only_fault;
  CellOptions options;
  bool keeps = false, has_broken = false;
  for (int i = 1; i < argc; i += 2) {
    const std::string_view word = argv[i];
    if (i + 1 == argc) return usage();
    if (word == "--mode") {
      if (!(only_mode = hosting_of(argv[i + 1]))) return usage();
    } else if (word == "--fault") {
      if (!(only_fault = fault_of(argv[i + 1]))) return usage();
    } else if (word == "--keep-promises") {
      keeps = std::string_view(argv[i + 1]) == "yes";
    } else if (word != "--patience" || !read_number(argv[i + 1], options.patience_ms)) {
      return usage();
    }
  }
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  for (const Hosting& hosting : all_hostings()) {
    for (std::uint32_t f = 0; f < fault_count; ++f) {
      const auto fault = static_cast<Fault>(f);
      if ((only_mode && *only_mode != hosting) || (only_fault && *only_fault != fault)) continue;
      const Observation seen = run_cell(self, hosting, fault, options);
      const Json cell = json_of(hosting, fault, seen);
      if (const std::string broken = broken_promise(hosting, fault, seen); keeps && !broken.empty()) {
        std::fprintf(stderr, "%s: %s\n", test_of(hosting, fault).c_str(), broken.c_str());
        has_broken = true;
      }
      std::printf("%s\n", cell.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
      std::fflush(stdout);
    }
  }
  return has_broken ? 1 : 0;
}

}  // namespace
}  // namespace symphony::faults

int main(int argc, char** argv) { return symphony::faults::run(argc, argv); }
