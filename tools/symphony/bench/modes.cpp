#include "tools/symphony/bench/modes.hpp"

#include <fmt/format.h>
#include <sys/wait.h>

#include "tools/symphony/bench/helper.hpp"
#include "tools/symphony/exit_status.hpp"
#include "tools/symphony/programs.hpp"
#include "tools/symphony/table.hpp"

namespace symphony::tools {
namespace {

std::string modes_table(const BenchJson& modes) {
  const auto number = [](const BenchJson& value) { return fmt::format("{:.1f}", value.get<double>()); };
  Table ways({"way", "ns a call", "p5", "p95", "what goes there and back"});
  for (const BenchJson& way : modes["ways"]) {
    ways.add_row({way["name"], number(way["ns"]), number(way["ns_p5"]), number(way["ns_p95"]), way["what"]});
  }
  Table figures({"figure", "value", "p5", "p95", "unit"});
  for (const BenchJson& one : modes["figures"]) {
    const auto cell = [&](const char* key) { return fmt::format("{:.3f}", one[key].get<double>()); };
    figures.add_row({one["name"], cell("value"), cell("p5"), cell("p95"), one["unit"]});
  }
  return ways.text() + "\n" + figures.text() + "\nverdict: " + modes["verdict"].get<std::string>() + "\n";
}

}  // namespace

int bench_modes(const BenchArguments& arguments) {
  const std::string program = find_program("bench_modes");
  if (program.empty()) return fail_bench("modes", "bench_modes is not beside this program", exit_not_found);
  std::vector<std::string> words{program, "-o", "json"};
  if (arguments.quick) words.insert(words.end(), {"--rounds", "20"});
  const Printed printed = run_helper(words);
  BenchJson document = new_bench_document("bench modes");
  document["modes"] = BenchJson::parse(printed.out, nullptr, false);
  // 3: measured, and inconclusive.
  const bool measured = WIFEXITED(printed.status) && (printed.status == 0 || WEXITSTATUS(printed.status) == 3);
  if (!measured || !document["modes"].is_object()) {
    return fail_bench("modes", printed.fault.empty() ? "bench_modes printed no result" : printed.fault, exit_internal);
  }
  return put_out(arguments, "modes", document, modes_table(document["modes"]));
}

}  // namespace symphony::tools
