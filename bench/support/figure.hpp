// One measured or counted result under a fixed name, as a file that tools/figures reads.   Layer: bench (base only).
// Each goes to <folder>/<name>.json when it is whole, so a reader never sees half a file and a killed writer leaves
// none; the last one written stays. Threads: any; two writers of one name must not run at once.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <symphony/result.hpp>

namespace symphony::bench {

struct Figure {
  std::string name;          // words of a-z, 0-9 and _, joined by dots: "demo.p50_ns.static"
  double value = 0;          // finite
  std::optional<double> of;  // the total, where the value is a part of one
  std::string unit;          // "ns", "1/s", "ratio", "count"
  std::uint64_t n = 0;       // samples or trials behind the value; at least 1
  std::optional<std::uint64_t> seed;
  double seconds = 0;  // how long it took to find out
  std::string note;
};

struct HostFacts {
  std::string cpu;     // model name
  unsigned cores = 0;  // that this process may use
  std::string kernel;
};

[[nodiscard]] HostFacts this_host();

// The commit that this program was built from, "-dirty" behind it if the tree was changed; "unknown" outside git.
[[nodiscard]] std::string_view built_commit() noexcept;

// Where figures of this program go: $SYMPHONY_FIGURES if set, else figures/ of the build tree that the program stands
// in; nothing when it stands elsewhere (installed): then there is nowhere to collect them.
[[nodiscard]] std::optional<std::filesystem::path> figures_folder();

[[nodiscard]] std::string to_json(const Figure& figure, const HostFacts& host, std::string_view commit);

// Makes the folder if needed. invalid_argument: the figure breaks a rule above; system: the folder cannot be written.
[[nodiscard]] result<void> write_figure(const Figure& figure, const std::filesystem::path& folder);

// To figures_folder(); a success that writes nothing when there is none.
[[nodiscard]] result<void> write_figure(const Figure& figure);

}  // namespace symphony::bench
