#include "tools/symphony/run/forecast.hpp"

#include <gtest/gtest.h>

namespace symphony::tools {
namespace {

// a -> b -> d, a -> c
Work forecast_work() {
  Work work;
  for (const char* id : {"d", "c", "b", "a"}) {
    work.tasks.emplace_back();
    work.tasks.back().id = id;
  }
  work.tasks[0].needs = {2};
  work.tasks[1].needs = {3};
  work.tasks[2].needs = {3};
  return work;
}

TEST(Forecast, KnowsNothingUntilATaskHasEnded) {
  const Work work = forecast_work();
  Forecast forecast(work, {});
  EXPECT_LT(forecast.left(2).eta_ns, 0);
  forecast.finished(3, 10);
  EXPECT_EQ(forecast.left(2).critical_ns, 20) << "b and d are thought to take as long as a";
}

TEST(Forecast, IsTheLongestChainOrTheRestSharedAmongTheJobs) {
  const Work work = forecast_work();
  Forecast forecast(work, {5, 50, 10, 100});
  EXPECT_EQ(forecast.left(8).critical_ns, 150);
  EXPECT_EQ(forecast.left(8).eta_ns, 150);
  EXPECT_EQ(forecast.left(1).eta_ns, 165);
  forecast.finished(3, 100);
  EXPECT_EQ(forecast.left(8).eta_ns, 50);
  for (const std::uint32_t task : {0U, 1U, 2U}) forecast.finished(task, 1);
  EXPECT_EQ(forecast.left(1).eta_ns, 0);
}

TEST(Forecast, OrdersEachTaskBehindWhatItNeeds) {
  const Work work = forecast_work();
  EXPECT_EQ(Forecast(work, {}).order(), (std::vector<std::uint32_t>{3, 1, 2, 0}));
}

}  // namespace
}  // namespace symphony::tools
