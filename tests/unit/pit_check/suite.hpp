// The suite on one file, as a test runs it.   Layer: tests.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "tests/support/samples.hpp"
#include "tools/pit_check/check.hpp"

namespace symphony::pit_check::test {

// What the suite says of a file in a mode; of one case, or of all. `linked` is the same pit, linked in.
inline Report run(const std::string& path, const std::string& mode, const std::string& only = {},
                  TimeNs time_limit_ns = 120 * second_ns, const symphony_pit_entry* linked = nullptr,
                  std::uint32_t percent = 100) {
  pit::PitFile file;
  const pit::Outcome read = pit::read_pit_file(path, file);
  EXPECT_TRUE(read.ok()) << read.text;
  if (!read.ok()) return {};
  return check(file, {.programs = {SYMPHONY_BIN "/symphony-pit-host", SYMPHONY_BIN "/symphony-keeper"},
                      .mode = mode,
                      .only = only,
                      .seed = test_run::seed(),
                      .percent = percent,
                      .linked = linked,
                      .time_limit_ns = time_limit_ns});
}

}  // namespace symphony::pit_check::test
