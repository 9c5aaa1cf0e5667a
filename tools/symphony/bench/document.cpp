#include "tools/symphony/bench/document.hpp"

#include <cstdio>
#include <fstream>

#include "bench/support/figure.hpp"
#include "tools/symphony/exit_status.hpp"
#include "tools/symphony/table.hpp"

namespace symphony::tools {

int fail_bench(const char* verb, const std::string& why, int status) {
  std::fprintf(stderr, "symphony bench %s: %s\n", verb, without_controls(why).c_str());
  return status;
}

BenchJson new_bench_document(const char* command) {
  const auto host = bench::this_host();
  return {{"schema", "symphony.cli/1"},
          {"command", command},
          {"commit", bench::built_commit()},
          {"host", {{"cpu", host.cpu}, {"cores", host.cores}, {"kernel", host.kernel}}}};
}

int put_out(const BenchArguments& arguments, const char* verb, const BenchJson& document, const std::string& table) {
  const std::string text = document.dump(1) + "\n";
  if (!arguments.save.empty()) {
    std::ofstream file(arguments.save);
    file << text;
    if (!file.flush()) return fail_bench(verb, arguments.save + ": cannot be written", exit_internal);
  }
  std::fputs(arguments.format == "json" ? text.c_str() : table.c_str(), stdout);
  if (std::fflush(stdout) != 0) return fail_bench(verb, "cannot write the result: disk full?", exit_internal);
  return exit_ok;
}

}  // namespace symphony::tools
