// Cap'n Proto RPC as a peer: the two-party network over a Unix socket pair, each side with its event loop in one
// thread.
//
// Its documentation knows no switch for latency; what it recommends is done: bodies are built in the outgoing message
// and read in the incoming one, each message is allocated in one piece by a size hint, and streams are methods marked
// `stream`, which the library's flow control keeps in flight.
#include <capnp/rpc-twoparty.h>
#include <kj/async-io.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <memory>
#include <utility>

#include <symphony/unique_fd.hpp>

#include "bench/peers/link_of.hpp"
#include "bench/peers/payload.hpp"
#include "echo.capnp.h"

namespace symphony::bench::peers {
namespace {

using capnp_echo::Echo;

// The words of a message around its body: root, struct, list pointer, with room to spare.
constexpr std::uint64_t words_around = 8;

capnp::MessageSize hint_for(std::size_t size) noexcept { return {size / 8 + words_around, 0}; }

// Counts messages from 1 as both sides do, and says when a number is reached: calls may come in before anybody waits.
class Server final : public Echo::Server {
 public:
  explicit Server(std::size_t size) noexcept : size_(size) {}

  kj::Promise<void> trip(TripContext context) override {
    take(context.getParams().getBody());
    fill(context.getResults(hint_for(size_)).initBody(static_cast<unsigned>(size_)).begin(), size_, messages_);
    tell();
    return kj::READY_NOW;
  }
  kj::Promise<void> push(PushContext context) override {
    take(context.getParams().getBody());
    return kj::READY_NOW;
  }
  kj::Promise<void> pushed(PushedContext) override {
    ++streams_;
    tell();
    return kj::READY_NOW;
  }

  // Fulfilled when so many messages came and so many streams ended, since the beginning.
  kj::Promise<void> until(std::uint64_t messages, std::uint64_t streams) {
    wanted_messages_ = messages;
    wanted_streams_ = streams;
    auto paf = kj::newPromiseAndFulfiller<void>();
    waiting_ = kj::mv(paf.fulfiller);
    tell();
    return kj::mv(paf.promise);
  }
  [[nodiscard]] Outcome outcome() const noexcept { return outcome_; }

 private:
  void take(capnp::Data::Reader body) noexcept {
    ++messages_;
    if (body.size() != size_ || !is_right(body.begin(), size_, messages_)) outcome_ = Outcome::wrong_data;
  }
  void tell() {
    if (messages_ < wanted_messages_ || streams_ < wanted_streams_) return;
    KJ_IF_MAYBE (waiting, waiting_) {
      (*waiting)->fulfill();
    }
  }

  std::size_t size_;
  std::uint64_t messages_ = 0;
  std::uint64_t streams_ = 0;
  std::uint64_t wanted_messages_ = UINT64_MAX;
  std::uint64_t wanted_streams_ = 0;
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> waiting_;
  Outcome outcome_ = Outcome::ok;
};

// Errors are thrown; the comparison knows them as a connection that failed.
template <class Work>
Outcome outcome_of(Work&& work) {
  try {
    return work();
  } catch (const kj::Exception&) {
    return Outcome::failed;
  }
}

class CallerLink final : public Link {
 public:
  CallerLink(int fd, std::size_t size)
      : io_(kj::setupAsyncIo()),
        stream_(io_.lowLevelProvider->wrapSocketFd(fd, kj::LowLevelAsyncIoProvider::TAKE_OWNERSHIP)),
        client_(*stream_),
        echo_(client_.bootstrap().castAs<Echo>()),
        size_(size) {}
  ~CallerLink() noexcept override = default;  // its members' may throw

  Outcome call(std::uint64_t first, std::uint64_t count) override {
    return outcome_of([&] {
      for (std::uint64_t i = first; i < first + count; ++i) {
        auto request = echo_.tripRequest(hint_for(size_));
        fill(request.initBody(static_cast<unsigned>(size_)).begin(), size_, i);
        const auto reply = request.send().wait(io_.waitScope);
        const auto body = reply.getBody();
        if (body.size() != size_ || !is_right(body.begin(), size_, i)) return Outcome::wrong_data;
      }
      return Outcome::ok;
    });
  }
  Outcome send(std::uint64_t first, std::uint64_t count) override {
    return outcome_of([&] {
      for (std::uint64_t i = first; i < first + count; ++i) {
        auto request = echo_.pushRequest(hint_for(size_));
        fill(request.initBody(static_cast<unsigned>(size_)).begin(), size_, i);
        request.send().wait(io_.waitScope);  // until there is room for the next one
      }
      // What is still on its way goes out only while this loop runs.
      echo_.pushedRequest().send().wait(io_.waitScope);
      return Outcome::ok;
    });
  }
  Outcome answer(std::uint64_t, std::uint64_t) override { return Outcome::failed; }
  Outcome receive(std::uint64_t, std::uint64_t) override { return Outcome::failed; }

 private:
  kj::AsyncIoContext io_;
  kj::Own<kj::AsyncIoStream> stream_;
  capnp::TwoPartyClient client_;
  Echo::Client echo_;
  std::size_t size_;
};

class HelperLink final : public Link {
 public:
  HelperLink(int fd, std::size_t size)
      : io_(kj::setupAsyncIo()),
        stream_(io_.lowLevelProvider->wrapSocketFd(fd, kj::LowLevelAsyncIoProvider::TAKE_OWNERSHIP)),
        network_(*stream_, capnp::rpc::twoparty::Side::SERVER),
        server_(kj::heap<Server>(size)),
        served_(*server_),
        rpc_(capnp::makeRpcServer(network_, Echo::Client(kj::mv(server_)))) {}
  ~HelperLink() noexcept override = default;

  Outcome answer(std::uint64_t first, std::uint64_t count) override { return serve(first + count - 1); }
  Outcome receive(std::uint64_t first, std::uint64_t count) override {
    ++streams_;
    return serve(first + count - 1);
  }
  Outcome call(std::uint64_t, std::uint64_t) override { return Outcome::failed; }
  Outcome send(std::uint64_t, std::uint64_t) override { return Outcome::failed; }

 private:
  Outcome serve(std::uint64_t last) {
    return outcome_of([&] {
      served_.until(last, streams_).wait(io_.waitScope);
      // The last reply goes out only while this loop runs, and this thread now does something else.
      kj::Promise<void> never = kj::NEVER_DONE;
      do {
        never.poll(io_.waitScope);
      } while (network_.getCurrentQueueCount() != 0);
      return served_.outcome();
    });
  }

  kj::AsyncIoContext io_;
  kj::Own<kj::AsyncIoStream> stream_;
  capnp::TwoPartyVatNetwork network_;
  kj::Own<Server> server_;
  Server& served_;
  capnp::RpcSystem<capnp::rpc::twoparty::VatId> rpc_;
  std::uint64_t streams_ = 0;
};

class CapnProto final : public Adapter {
 public:
  result<void> prepare(std::size_t size) override {
    size_ = size;
    int ends[2] = {-1, -1};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
      return unexpected(errc::out_of_descriptors, "no socket pair to be had", errno);
    }
    for (int i = 0; i < 2; ++i) ends_[i].reset(ends[i]);
    return {};
  }
  std::unique_ptr<Link> open(End end) override {
    try {
      if (end == End::caller) return std::make_unique<CallerLink>(ends_[0].release(), size_);
      return std::make_unique<HelperLink>(ends_[1].release(), size_);
    } catch (const kj::Exception&) {
      return nullptr;
    }
  }

 private:
  UniqueFd ends_[2];
  std::size_t size_ = 0;
};

constexpr std::array<AdapterEntry, 1> all{
    {{"capnp", []() -> std::unique_ptr<Adapter> { return std::make_unique<CapnProto>(); }}}};

}  // namespace

std::span<const AdapterEntry> adapters() noexcept { return all; }

}  // namespace symphony::bench::peers
