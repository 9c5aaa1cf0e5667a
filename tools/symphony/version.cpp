#include <CLI/CLI.hpp>

#include <cstdio>

#include "bench/support/figure.hpp"
#include "tools/symphony/commands.hpp"
#include "tools/symphony/exit_status.hpp"

namespace symphony::tools {

void add_version_command(CLI::App& app, int& exit_status) {
  app.add_subcommand("version", "Print version and commit")->callback([&exit_status] {
    std::printf("symphony %s (%.*s)\n", SYMPHONY_PROJECT_VERSION, static_cast<int>(bench::built_commit().size()),
                bench::built_commit().data());
    exit_status = exit_ok;
  });
}

}  // namespace symphony::tools
