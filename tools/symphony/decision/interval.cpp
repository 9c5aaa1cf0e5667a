#include "tools/symphony/decision/interval.hpp"

#include <array>
#include <cmath>

namespace symphony::tools {
namespace {

// Student's t, two-sided, at these degrees of freedom: between two of them the smaller degree's, which is the wider.
struct Student {
  double freedom, p95, p999;
};
constexpr std::array<Student, 20> student{
    {{1, 12.706, 636.619}, {2, 4.303, 31.599}, {3, 3.182, 12.924}, {4, 2.776, 8.610},  {5, 2.571, 6.869},
     {6, 2.447, 5.959},    {7, 2.365, 5.408},  {8, 2.306, 5.041},  {9, 2.262, 4.781},  {10, 2.228, 4.587},
     {11, 2.201, 4.437},   {12, 2.179, 4.318}, {13, 2.160, 4.221}, {14, 2.145, 4.140}, {15, 2.131, 4.073},
     {20, 2.086, 3.850},   {25, 2.060, 3.725}, {30, 2.042, 3.646}, {60, 2.000, 3.460}, {120, 1.980, 3.373}}};

Student student_of(double freedom) {
  Student out = student.front();
  for (const Student& one : student) {
    if (one.freedom <= freedom) out = one;
  }
  return out;
}

}  // namespace

Interval interval_of(const std::vector<double>& values) {
  Interval out;
  out.n = values.size();
  const auto n = static_cast<double>(out.n);
  double sum = 0, squares = 0;
  for (const double value : values) sum += std::log(value);
  const double mean = sum / n;
  for (const double value : values) squares += (std::log(value) - mean) * (std::log(value) - mean);
  out.value = out.low = out.high = out.low_999 = out.high_999 = std::exp(mean);
  if (out.n < 2) return out;
  out.spread = std::sqrt(squares / (n - 1));
  const double error = out.spread * std::sqrt(2 / n);  // of the difference of two means
  const Student t = student_of(n - 1);
  out.low = std::exp(mean - t.p95 * error);
  out.high = std::exp(mean + t.p95 * error);
  out.low_999 = std::exp(mean - t.p999 * error);
  out.high_999 = std::exp(mean + t.p999 * error);
  return out;
}

Difference difference_of(const Interval& a, const Interval& b) {
  Difference out;
  out.ratio = b.value / a.value;
  if (a.n < 2 || b.n < 2) return out.low = 0, out.high = INFINITY, out;
  const double va = a.spread * a.spread / static_cast<double>(a.n), vb = b.spread * b.spread / static_cast<double>(b.n);
  // Welch: as many degrees of freedom as the two spreads are worth together.
  const double all = va * va / static_cast<double>(a.n - 1) + vb * vb / static_cast<double>(b.n - 1);
  const double freedom = all > 0 ? (va + vb) * (va + vb) / all : 120;
  const double half = student_of(freedom).p999 * std::sqrt(va + vb);
  out.low = out.ratio * std::exp(-half);
  out.high = out.ratio * std::exp(half);
  const bool is_large = out.ratio > 1 + least_difference || out.ratio < 1 / (1 + least_difference);
  out.beyond_noise = is_large && (out.low > 1 || out.high < 1);
  return out;
}

}  // namespace symphony::tools
