// Random operations on a PoolManager in every mode, against the model of the unit tests: on wasm32 as on x86-64.
#include "tests/conformance/random_modes.hpp"
#include "tests/unit/pool_manager/random_run.hpp"

SYMPHONY_DECLARE_PIT(pool_manager);

namespace symphony {
namespace {

TEST(PoolModes, RandomOperationsFollowTheRulesAndLeaveTheSameBytesInEveryMode) {
  namespace runs = pit::pools::testing;
  expect_same_bytes_in_every_mode("pool_manager", symphony_pit_pool_manager(), test_run::samples(150),
                                  [](RandomPit& pit, const std::vector<test_run::Op>& operations) {
                                    runs::PoolClient client([&](std::uint32_t type, std::span<const std::byte> body) {
                                      const Reply reply = pit.call(type, body);
                                      return runs::said(static_cast<std::int32_t>(reply.status), reply.type, reply.body,
                                                        reply.text);
                                    });
                                    runs::Surroundings around;
                                    around.feed = [&](std::uint64_t now_ns) { return pit.feed(now_ns); };
                                    around.swap = [&] { return pit.swap(); };
                                    return runs::RandomRun(client, around).run(operations);
                                  });
}

}  // namespace
}  // namespace symphony
