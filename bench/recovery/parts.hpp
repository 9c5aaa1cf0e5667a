// What bench_recovery measures, each part by itself.   Layer: bench. Threads: one at a time.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <symphony/clock.hpp>

namespace symphony::bench::recovery {

// p of the values, nearest rank; sorts them. Precondition: not empty.
[[nodiscard]] double quantile(std::vector<double>& values, double p);
void write(const std::string& name, double value, const char* unit, std::size_t n, TimeNs begun,
           const std::string& note);

// SIGKILL of the pit to the first reply of the next instance, and what of it is whose.
void measure_restart(std::size_t kills);
// SIGKILL to the caller's flag, over a bare pidfd and epoll, with 1, 16 and 256 MiB in the dying process.
void measure_notice(std::size_t deaths);
// Calls while the broker is killed, and while it is not, in turns.
void measure_broker_kill(std::size_t pairs);
// What run_self({"holder", MIB}) becomes: a process that holds memory, says so and waits.
int be_holder(unsigned mib);

}  // namespace symphony::bench::recovery
