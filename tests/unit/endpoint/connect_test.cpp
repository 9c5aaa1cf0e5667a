// The way to a broker's welcome. What could go wrong: a connection that is made and lost again, because the broker has
// just died, ends the caller's search although the next broker is on its way.
#include <symphony/endpoint.hpp>

#include <filesystem>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "bus/control/rendezvous.hpp"
#include "bus/control/socket.hpp"

namespace symphony {
namespace {

using namespace detail::control;

class Connect : public testing::Test {
 protected:
  Connect() {
    char name[] = "/tmp/symphony-connect-XXXXXX";
    directory_ = ::mkdtemp(name);
    path_ = directory_ + "/broker.sock";
    listener_ = listen_at(path_).value();
  }
  ~Connect() override {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  UniqueFd accept_one() {
    EXPECT_TRUE(wait_readable(listener_.get(), deadline_after(60 * second_ns)));
    return accept_at(listener_.get()).value();
  }
  std::string directory_, path_;
  UniqueFd listener_;
};

TEST_F(Connect, GoesOnToTheNextBrokerWhereOneHangsUpBeforeItsWelcome) {
  std::thread brokers([&] {
    accept_one().reset();
    ControlSocket next(accept_one());
    const auto hello = next.wait_receive(FdPolicy::refuse, deadline_after(60 * second_ns));
    ASSERT_TRUE(hello && std::holds_alternative<Hello>(hello->message));
    Welcome welcome;
    welcome.generation = 7;
    welcome.protocol = protocol_max;
    ASSERT_TRUE(next.wait_send(welcome, {}, deadline_after(60 * second_ns)));
    // Until the endpoint is gone.
    EXPECT_EQ(next.wait_receive(FdPolicy::refuse, deadline_after(60 * second_ns)).error().code, errc::closed);
  });
  {
    const auto endpoint = Endpoint::connect({.path = path_, .timeout_ns = 60 * second_ns});
    EXPECT_TRUE(endpoint) << endpoint.error().text;
  }
  brokers.join();
}

TEST_F(Connect, EndsAtItsDeadlineWhereEveryBrokerHangsUp) {
  std::jthread broker([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      if (wait_readable(listener_.get(), deadline_after(20 * ms_ns))) accept_at(listener_.get()).value().reset();
    }
  });
  const auto endpoint = Endpoint::connect({.path = path_, .timeout_ns = 100 * ms_ns});
  ASSERT_FALSE(endpoint);
  const errc why = endpoint.error().code;
  EXPECT_TRUE(why == errc::closed || why == errc::timeout || why == errc::unreachable) << endpoint.error().text;
}

}  // namespace
}  // namespace symphony
