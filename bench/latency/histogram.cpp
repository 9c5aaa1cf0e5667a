#include "bench/latency/histogram.hpp"

#include <charconv>
#include <cmath>
#include <cstdarg>
#include <cstdio>

namespace symphony::bench {
namespace {

constexpr std::string_view text_head = "symphony-histogram 1";
// Lines of the .hgrm table between one percentile and half of what is left to 100.
constexpr unsigned lines_per_halving = 5;

[[gnu::format(printf, 2, 3)]] void append(std::string& out, const char* format, ...) {
  char line[160];
  va_list arguments;
  va_start(arguments, format);
  const int size = std::vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  if (size > 0) out.append(line, std::min(static_cast<std::size_t>(size), sizeof line - 1));
}

// Takes the next line of `rest`; false at the end or when the last line has no line end.
bool next_line(std::string_view& rest, std::string_view& line) {
  const std::size_t end = rest.find('\n');
  if (end == std::string_view::npos) return false;
  line = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return true;
}

// Numbers with one space between, exactly as many as there are targets.
template <class... T>
bool read_numbers(std::string_view line, T&... targets) {
  const char* at = line.data();
  const char* const end = at + line.size();
  bool first = true;
  const auto one = [&](auto& target) {
    if (!first && (at == end || *at++ != ' ')) return false;
    first = false;
    const auto [next, error] = std::from_chars(at, end, target);
    at = next;
    return error == std::errc();
  };
  return (one(targets) && ...) && at == end;
}

}  // namespace

std::uint64_t Histogram::percentile_ns(double percent) const noexcept {
  if (count_ == 0) return 0;
  // Written so that a NaN asks for the maximum instead of for nothing.
  if (percent <= 0) return min_;
  if (!(percent < 100)) return max_;
  const double exact_rank = std::ceil(percent / 100.0 * static_cast<double>(count_));
  // Doubles are coarse above 2^53 values; the rank stays within the count.
  const auto rank = exact_rank >= static_cast<double>(count_)
                        ? count_
                        : std::max<std::uint64_t>(1, static_cast<std::uint64_t>(exact_rank));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < counter_count; ++i) {
    seen += counters_[i];
    if (seen < rank) continue;
    // Values above the range share the last counter; they are the largest ones.
    if (rank > count_ - above_range_) return max_;
    return std::min({highest_of(i), max_, value_max_ns});
  }
  return max_;
}

std::uint64_t Histogram::count_up_to(std::uint64_t ns) const noexcept {
  std::uint64_t seen = 0;
  const std::size_t last = index_of(ns);
  for (std::size_t i = 0; i <= last; ++i) seen += counters_[i];
  return seen;
}

std::string Histogram::to_hgrm(double unit_ns) const {
  std::string out = "       Value     Percentile TotalCount 1/(1-Percentile)\n\n";
  if (count_ > 0) {
    double percent = 0;
    for (;;) {
      const std::uint64_t value = percentile_ns(percent);
      const std::uint64_t below = count_up_to(value);
      if (below >= count_) break;
      const double share = percent / 100.0;
      append(out, "%12.3f %2.12f %10llu %14.2f\n", static_cast<double>(value) / unit_ns, share,
             static_cast<unsigned long long>(below), 1.0 / (1.0 - share));
      // The next step: a fifth of what is left of the present halving towards 100.
      const double halving = std::exp2(std::floor(std::log2(100.0 / (100.0 - percent))) + 1);
      percent += 100.0 / (halving * lines_per_halving);
    }
    append(out, "%12.3f %2.12f %10llu\n", static_cast<double>(max_) / unit_ns, 1.0,
           static_cast<unsigned long long>(count_));
  }
  double squares = 0;
  const double mean = mean_ns();
  for (std::size_t i = 0; i < counter_count; ++i) {
    const double distance = static_cast<double>(std::min(highest_of(i), max_ns())) - mean;
    if (counters_[i] != 0) squares += distance * distance * static_cast<double>(counters_[i]);
  }
  const double deviation = count_ == 0 ? 0 : std::sqrt(squares / static_cast<double>(count_));
  append(out, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n", mean / unit_ns, deviation / unit_ns);
  append(out, "#[Max     = %12.3f, Total count    = %12llu]\n", static_cast<double>(max_) / unit_ns,
         static_cast<unsigned long long>(count_));
  append(out, "#[Buckets = %12zu, SubBuckets     = %12zu]\n", counter_count / steps, 2 * steps);
  return out;
}

std::string Histogram::to_text() const {
  std::string out(text_head);
  // %a and from_chars(hex) would be exact too; 17 digits are, and people can read them.
  append(out, "\n%llu %llu %llu %llu %.17g\n", static_cast<unsigned long long>(count_),
         static_cast<unsigned long long>(above_range_), static_cast<unsigned long long>(min_ns()),
         static_cast<unsigned long long>(max_), sum_);
  for (std::size_t i = 0; i < counter_count; ++i) {
    if (counters_[i] != 0) append(out, "%zu %llu\n", i, static_cast<unsigned long long>(counters_[i]));
  }
  out += "end\n";
  return out;
}

std::optional<Histogram> Histogram::from_text(std::string_view text) {
  Histogram out;
  std::string_view line;
  if (!next_line(text, line) || line != text_head) return std::nullopt;
  if (!next_line(text, line) || !read_numbers(line, out.count_, out.above_range_, out.min_, out.max_, out.sum_)) {
    return std::nullopt;
  }
  std::uint64_t sum_of_counters = 0;
  std::size_t next = 0;
  for (;;) {
    if (!next_line(text, line)) return std::nullopt;
    if (line == "end") break;
    std::size_t index = 0;
    std::uint64_t counter = 0;
    if (!read_numbers(line, index, counter) || index < next || index >= counter_count || counter == 0)
      return std::nullopt;
    if (counter > out.count_ - sum_of_counters) return std::nullopt;
    sum_of_counters += counter;
    out.counters_[index] = counter;
    next = index + 1;
  }
  if (!text.empty() || sum_of_counters != out.count_) return std::nullopt;
  if (out.above_range_ > out.counters_.back() || !(out.sum_ >= 0) || std::isinf(out.sum_)) return std::nullopt;
  if (out.count_ == 0) {
    if (out.min_ != 0 || out.max_ != 0 || out.sum_ != 0) return std::nullopt;
    return Histogram();
  }
  // The extremes must lie in the first and the last counter that is used.
  const auto used = [](std::uint64_t counter) { return counter != 0; };
  const auto first =
      static_cast<std::size_t>(std::find_if(out.counters_.begin(), out.counters_.end(), used) - out.counters_.begin());
  if (index_of(out.min_) != first || index_of(out.max_) + 1 != next || out.min_ > out.max_) return std::nullopt;
  if ((out.max_ > value_max_ns) != (out.above_range_ > 0)) return std::nullopt;
  return out;
}

}  // namespace symphony::bench
