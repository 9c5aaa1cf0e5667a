// The verbs of the command line, one file each.   Layer: tools.
// Each adds its subcommand to the application; the chosen one's callback stores the exit status.
#pragma once

namespace CLI {
class App;
}

namespace symphony::tools {

void add_advise_command(CLI::App& app, int& exit_status);
void add_demo_command(CLI::App& app, int& exit_status);
void add_bench_command(CLI::App& app, int& exit_status);
void add_broker_command(CLI::App& app, int& exit_status);
void add_call_command(CLI::App& app, int& exit_status);
void add_dlq_command(CLI::App& app, int& exit_status);
void add_doctor_command(CLI::App& app, int& exit_status);
void add_jobserver_command(CLI::App& app, int& exit_status);
void add_pit_command(CLI::App& app, int& exit_status);
void add_run_command(CLI::App& app, int& exit_status);
void add_sandbox_command(CLI::App& app, int& exit_status);
void add_topic_commands(CLI::App& app, int& exit_status);
void add_version_command(CLI::App& app, int& exit_status);

}  // namespace symphony::tools
