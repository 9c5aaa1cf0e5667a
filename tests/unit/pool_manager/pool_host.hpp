// A PoolManager linked into the test, with a clock that the test sets, links for those that wait, and its events.
// Layer: tests.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "pits/hosting/static/static_host.hpp"
#include "tests/unit/pool_manager/pool_client.hpp"

SYMPHONY_DECLARE_PIT(pool_manager);

namespace symphony::pit::pools::testing {

class Heard final : public EventSink {
 public:
  void on_event(std::uint32_t type, std::span<const std::byte> body) noexcept override {
    all.push_back(said(SYMPHONY_OK, type, body, {}));
  }
  // Of one kind, in order.
  template <class T>
  [[nodiscard]] std::vector<const T*> of() const {
    std::vector<const T*> found;
    for (const Said& one : all) {
      if (const T* event = one.as<T>()) found.push_back(event);
    }
    return found;
  }
  std::vector<Said> all;
};

// One request that may wait for its answer.
class Waiting {
 public:
  explicit Waiting(Host& host) { EXPECT_TRUE(host.open(link_).ok()); }
  void start(const Ask& ask, TimeNs deadline_ns = no_deadline_ns) {
    builder_.Clear();
    builder_.Finish(PoolClient::made(builder_, ask));
    const pit::Request request{.type = message_type(pool::Acquire::GetFullyQualifiedName()),
                               .body = std::as_bytes(std::span(builder_.GetBufferPointer(), builder_.GetSize())),
                               .deadline_ns = deadline_ns};
    EXPECT_TRUE(link_->try_start(request, 1));
  }
  // True once it has ended; then `answer` says how.
  bool ended() {
    std::uint64_t tag = 0;
    Reply reply;
    if (!link_->try_take(tag, reply)) return false;
    answer = said(reply.status, reply.type, reply.body, reply.text);
    return true;
  }
  void hang_up() { link_.reset(); }

  Said answer;

 private:
  std::unique_ptr<Link> link_;
  flatbuffers::FlatBufferBuilder builder_;
};

class Pools : public ::testing::Test {
 protected:
  void SetUp() override {
    InProcessOptions options;
    options.events = &heard;
    ASSERT_TRUE(StaticHost::mount(*symphony_pit_pool_manager(), options, host).ok());
    ASSERT_TRUE(host->open(link_).ok());
    at(1'000);
  }
  // The clock stands there; what is due by then has happened.
  void at(std::uint64_t now_ns) { ASSERT_TRUE(host->feed(7, static_cast<TimeNs>(now_ns)).ok()); }
  // To another instance and back into this one's place.
  void swap() {
    Snapshot state;
    ASSERT_TRUE(host->snapshot(state).ok());
    ASSERT_TRUE(host->restore(state).ok());
  }
  std::uint32_t amount(std::uint64_t capacity, std::uint32_t overtake_max = 64) {
    return PoolClient::number(client.create(nullptr, capacity, overtake_max));
  }
  std::uint64_t free(std::uint32_t pool) { return client.describe(pool).as<pool::PoolInfo>()->free(); }

  Heard heard;
  std::unique_ptr<StaticHost> host;
  PoolClient client{[this](std::uint32_t type, std::span<const std::byte> body) {
    const Reply reply = link_->call({.type = type, .body = body});
    return said(reply.status, reply.type, reply.body, reply.text);
  }};

 private:
  std::unique_ptr<Link> link_;
};

}  // namespace symphony::pit::pools::testing
