// What the keeper knows when a broker has died. What could go wrong: a record is lost whose Go was said already.
#include "bus/broker/keeper.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <array>

#include "bus/control/packet.hpp"

namespace symphony::detail::broker::keeper {
namespace {

// So many records are handed to the next broker.
std::uint32_t records_told(int broker) {
  std::array<std::byte, datagram_size_max> buffer;
  const auto packet = control::receive_packet(broker, buffer, control::FdPolicy::accept);
  if (!packet || !*packet) return 0;
  const auto message = parse({buffer.data(), (*packet)->size});
  if (!message || message->header.kind != Kind::begin) return 0;
  BeginInfo info;
  std::copy_n(message->payload.data(), sizeof info, reinterpret_cast<std::byte*>(&info));
  return info.records;
}

TEST(Keeper, HearsAllThatADeadBrokerHasSaid) {
  constexpr std::uint64_t records = 100;  // more than it reads at a time
  Keeper keeper;
  auto first = control::make_socket_pair().value();
  keeper.attach_broker(std::move(first.first), 1);
  for (std::uint64_t key = 1; key <= records; ++key) {
    ASSERT_TRUE(control::send_packet(first.second.get(), datagram(Kind::put, key, 0), {}));
  }
  first.second.reset();
  std::vector<pollfd> fds;
  keeper.append_to(fds);
  ASSERT_GT(::poll(fds.data(), fds.size(), -1), 0);
  (void)keeper.serve(fds);
  keeper.hear_the_end();
  keeper.detach_broker();
  auto next = control::make_socket_pair().value();
  keeper.attach_broker(std::move(next.first), 2);
  EXPECT_EQ(records_told(next.second.get()), records);
}

}  // namespace
}  // namespace symphony::detail::broker::keeper
