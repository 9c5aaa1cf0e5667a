// bench_cell: what it costs to read a latest-value cell, beside a plain copy of as many bytes.   Layer: bench.
// Reads and copies alternate in batches over the same fresh mapping, which nobody writes to meanwhile; the figure is
// the median over mappings of the ratio of medians. Beside it, as a measure of the noise: the copy against itself.
// Exit status: 0 measured, 1 could not measure, 2 wrong arguments.
#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include <symphony/clock.hpp>

#include "bench/support/classes.hpp"
#include "bench/support/competing.hpp"
#include "bench/support/figure.hpp"
#include "bus/topic/board_reader.hpp"
#include "bus/topic/board_writer.hpp"

namespace symphony::bench {
namespace {

using namespace symphony::detail;

constexpr std::size_t mappings = 15;
constexpr std::size_t batches = 400;
constexpr std::size_t sizes[] = {64, 1024, 4096, 65536};

struct Ratios {
  double read = 0;  // cell over copy
  double self = 0;  // copy over copy
  double read_ns = 0;
};

template <class Work>
double ns_each(std::size_t times, Work&& work) {
  const TimeNs start = now_ns();
  for (std::size_t i = 0; i < times; ++i) work();
  return static_cast<double>(now_ns() - start) / static_cast<double>(times);
}

bool measure(std::size_t size, Ratios& out) {
  const BoardGeometry geometry{cell_slots, static_cast<std::uint32_t>(size)};
  void* const mapped =
      ::mmap(nullptr, geometry.size() + size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (mapped == MAP_FAILED) return false;
  auto* const base = static_cast<std::byte*>(mapped);
  const std::byte* const plain = base + geometry.size();
  std::memset(base + geometry.size(), 7, size);
  BoardWriter<RealMem> writer(base, geometry);
  writer.write(1, {plain, size});
  const BoardReader<RealMem> reader(base, geometry);
  std::vector<std::byte> into(size);
  std::size_t failures = 0;
  const std::size_t times = std::max<std::size_t>(8, 32 * 1024 / size);
  const auto read = [&] {
    BoardValue value;
    failures += reader.read_latest(into, value) == BoardRead::value ? 0 : 1;
    asm volatile("" : : "r"(into.data()) : "memory");
  };
  const auto copy = [&] {
    std::memcpy(into.data(), plain, size);
    asm volatile("" : : "r"(into.data()) : "memory");
  };
  std::vector<double> reads, copies, again;
  for (std::size_t i = 0; i < batches; ++i) {
    copies.push_back(ns_each(times, copy));
    reads.push_back(ns_each(times, read));
    again.push_back(ns_each(times, copy));
  }
  ::munmap(mapped, geometry.size() + size);
  const double copy_ns = quantiles_of(copies).p50;
  out = {quantiles_of(reads).p50 / copy_ns, quantiles_of(again).p50 / copy_ns, quantiles_of(reads).p50};
  return failures == 0;
}

int run() {
  for (const std::size_t size : sizes) {
    const TimeNs start = now_ns();
    const CompetingCpu others;
    std::vector<double> ratios, selves, times;
    for (std::size_t i = 0; i < mappings; ++i) {
      Ratios one;
      if (!measure(size, one)) {
        std::fputs("bench_cell: no memory for a board, or its value was not there: free some memory\n", stderr);
        return 1;
      }
      ratios.push_back(one.read);
      selves.push_back(one.self);
      times.push_back(one.read_ns);
    }
    const Quantiles ratio = quantiles_of(ratios);
    const Quantiles self = quantiles_of(selves);
    const bool is_disturbed = others.disturbed();
    char note[200];
    std::snprintf(note, sizeof note,
                  "over a copy of as many bytes; 5 to 95 of 100 mappings: %.2f to %.2f; copy against itself %.2f; a "
                  "read %.0f ns; %s",
                  ratio.p5, ratio.p95, self.p50, quantiles_of(times).p50,
                  is_disturbed ? "others used the machine" : "undisturbed");
    std::printf("cell read of %6zu bytes: %.2f x, %s\n", size, ratio.p50, note);
    Figure figure;
    figure.name = "cell.read_ratio." + std::to_string(size);
    figure.value = ratio.p50;
    figure.unit = "ratio";
    figure.n = mappings * batches;
    figure.seconds = static_cast<double>(now_ns() - start) / 1e9;
    figure.note = note;
    if (const auto written = write_figure(figure); !written) {
      std::fprintf(stderr, "bench_cell: %s\n", written.error().text);
      return 1;
    }
  }
  return 0;
}

}  // namespace
}  // namespace symphony::bench

int main(int argc, char**) {
  if (argc > 1) {
    std::fputs("usage: bench_cell\n  Reads of latest-value cells beside plain copies; about ten seconds.\n", stderr);
    return 2;
  }
  return symphony::bench::run();
}
