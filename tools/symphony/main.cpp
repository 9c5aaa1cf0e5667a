// The symphony command: `symphony --help` lists what it can do.
#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>
#include <string>
#include <string_view>

#include "tools/symphony/commands.hpp"
#include "tools/symphony/exit_status.hpp"
#include "tools/symphony/run/jobserver_bridge.hpp"
#include "tools/symphony/run/worker.hpp"
#include "tools/symphony/run/worker_wire.hpp"
#include "tools/symphony/standard_streams.hpp"

int main(int argc, char** argv) {
  using namespace symphony::tools;
  // What `symphony run` and `symphony jobserver` start themselves as; nothing a person types.
  if (argc == 2 && std::string_view(argv[1]) == worker_argument) return run_worker();
  if (argc > 1 && std::string_view(argv[1]) == jobserver_client_argument) return become_make(argc, argv);
  open_standard_streams();
  int exit_status = exit_ok;
  CLI::App app("Extensions written once, hosted at the speed and safety you choose.", "symphony");
  app.require_subcommand(1);
  app.failure_message([](const CLI::App*, const CLI::Error& e) {
    return std::string("symphony: ") + e.what() + "; see symphony --help, or --help behind a verb\n";
  });
  app.footer(
      "Exit status: 0 ok, 1 the checked thing is bad, 2 usage or input, 3 broker unreachable, 4 no such pit,\n"
      "5 timeout, 6 refused, 7 version mismatch, 70 internal.");
  add_demo_command(app, exit_status);
  add_bench_command(app, exit_status);
  add_advise_command(app, exit_status);
  add_broker_command(app, exit_status);
  add_call_command(app, exit_status);
  add_dlq_command(app, exit_status);
  add_doctor_command(app, exit_status);
  add_jobserver_command(app, exit_status);
  add_pit_command(app, exit_status);
  add_run_command(app, exit_status);
  add_sandbox_command(app, exit_status);
  add_topic_commands(app, exit_status);
  add_version_command(app, exit_status);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return flush_output(app.exit(e) == 0 ? exit_ok : exit_usage);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "symphony: internal error: %s\n", e.what());
    return exit_internal;
  }
  return flush_output(exit_status);
}
