// Runs a program that measures and takes what it prints.   Layer: tools. Threads: one at a time.
#pragma once

#include <string>
#include <vector>

namespace symphony::tools {

struct Printed {
  int status = -1;  // as waitpid() gives it
  std::string out;
  std::string fault;      // empty: it ended with 0; otherwise one line that names the program
  std::string last_line;  // of what it said on stderr
};

// arguments[0] is the program's path. The program dies with this one.
[[nodiscard]] Printed run_helper(const std::vector<std::string>& arguments);

}  // namespace symphony::tools
