#include "tools/symphony/bench/document.hpp"

#include <cstdio>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "bench/support/figure.hpp"
#include "tools/symphony/exit_status.hpp"
#include "tools/symphony/table.hpp"
#include "tools/symphony/whole_file.hpp"

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

std::string result_name(const char* verb, const BenchJson& document) {
  std::string machine;
  for (const char c : document["host"]["cpu"].get<std::string>()) {
    const bool is_word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    const bool is_capital = c >= 'A' && c <= 'Z';
    if (is_word || is_capital) {
      machine += is_capital ? static_cast<char>(c - 'A' + 'a') : c;
    } else if (!machine.empty() && machine.back() != '_') {
      machine += '_';
    }
  }
  while (!machine.empty() && machine.back() == '_') machine.pop_back();
  const std::string commit = document["commit"].get<std::string>();
  const bool is_dirty = commit.find("-dirty") != std::string::npos;
  return std::string(verb) + "." + machine + "-" + std::to_string(document["host"]["cores"].get<unsigned>()) + "." +
         commit.substr(0, 12) + (is_dirty ? "-dirty" : "") + ".json";
}

int put_out(const BenchArguments& arguments, const char* verb, const BenchJson& document, const std::string& table) {
  const std::string text = document.dump(1) + "\n";
  std::vector<std::filesystem::path> files;
  if (!arguments.save.empty()) files.emplace_back(arguments.save);
  if (!arguments.results.empty())
    files.push_back(std::filesystem::path(arguments.results) / result_name(verb, document));
  for (const auto& path : files) {
    const std::string why = write_whole_file(path, std::as_bytes(std::span(text)));
    if (!why.empty()) return fail_bench(verb, why, exit_internal);
  }
  std::fputs(arguments.format == "json" ? text.c_str() : table.c_str(), stdout);
  return exit_ok;
}

}  // namespace symphony::tools
