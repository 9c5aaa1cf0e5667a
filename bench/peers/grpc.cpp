// gRPC as a peer: one bidirectional stream over a Unix socket with an abstract name.
//
// Set as its performance guide and its notes on C++ advise: a stream instead of a call a message, one channel and one
// stub for all, the asynchronous API with one completion queue that the thread itself drives (no change of threads in a
// round trip), buffered writes where a message does not wait for an answer, optimisation target "latency", larger
// frames and windows for large messages. Messages are made once and filled in place.
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <array>
#include <string>

#include <symphony/clock.hpp>

#include "bench/peers/link_of.hpp"
#include "bench/peers/payload.hpp"
#include "echo.grpc.pb.h"

namespace symphony::bench::peers {
namespace {

using grpc_echo::Echo;
using grpc_echo::Message;

// Its defaults, 64 KiB ahead of the reader and frames of 16 KiB, make each of our largest messages wait for leave to
// send the rest of it.
constexpr int read_ahead = buffer_bytes;
constexpr int frame_max = 2 * size_max;

// One operation on the way: its address is the tag by which the queue tells that it is done.
struct Operation {
  bool running = false;
  bool right = true;
};

// Drives the queue until the operation is done; false: it failed, or the connection ended.
bool finish(grpc::CompletionQueue& queue, Operation& operation) {
  while (operation.running) {
    void* tag = nullptr;
    bool right = false;
    if (!queue.Next(&tag, &right)) return false;
    auto& done = *static_cast<Operation*>(tag);
    done.running = false;
    done.right = right;
  }
  return operation.right;
}

void* start(Operation& operation) noexcept {
  operation.running = true;
  return &operation;
}

// Stream is either end of the same one.
template <class Stream>
class GrpcLink final : public Link {
 public:
  GrpcLink(grpc::CompletionQueue& queue, Stream& stream, std::size_t size)
      : queue_(queue), stream_(stream), size_(size) {
    out_.mutable_body()->resize(size);
  }

  Outcome call(std::uint64_t first, std::uint64_t count) override {
    for (std::uint64_t i = first; i < first + count; ++i) {
      expect();
      if (!write(i, false)) return Outcome::failed;
      if (const Outcome got = read(i); got != Outcome::ok) return got;
    }
    return finish(queue_, writing_) ? Outcome::ok : Outcome::failed;
  }
  Outcome answer(std::uint64_t first, std::uint64_t count) override {
    for (std::uint64_t i = first; i < first + count; ++i) {
      if (const Outcome got = read(i); got != Outcome::ok) return got;
      if (i + 1 < first + count) expect();
      if (!write(i, false)) return Outcome::failed;
    }
    // What is written goes out only while this thread drives the queue.
    return finish(queue_, writing_) ? Outcome::ok : Outcome::failed;
  }
  Outcome send(std::uint64_t first, std::uint64_t count) override {
    for (std::uint64_t i = first; i < first + count; ++i) {
      if (!write(i, i + 1 < first + count)) return Outcome::failed;
    }
    return finish(queue_, writing_) ? Outcome::ok : Outcome::failed;
  }
  Outcome receive(std::uint64_t first, std::uint64_t count) override {
    for (std::uint64_t i = first; i < first + count; ++i) {
      if (const Outcome got = read(i); got != Outcome::ok) return got;
    }
    return Outcome::ok;
  }

 private:
  void expect() {
    if (!reading_.running) stream_.Read(&in_, start(reading_));
  }
  Outcome read(std::uint64_t number) {
    expect();
    if (!finish(queue_, reading_)) return Outcome::failed;
    return judged(in_.body().size() == size_ && is_right(in_.body().data(), size_, number));
  }
  // `more`: another one follows at once.
  bool write(std::uint64_t number, bool more) {
    fill(out_.mutable_body()->data(), size_, number);
    if (!finish(queue_, writing_)) return false;
    stream_.Write(out_, more ? grpc::WriteOptions().set_buffer_hint() : grpc::WriteOptions(), start(writing_));
    return true;
  }

  grpc::CompletionQueue& queue_;
  Stream& stream_;
  std::size_t size_;
  Message in_;
  Message out_;
  Operation reading_;
  Operation writing_;
};

class Grpc final : public Adapter {
 public:
  result<void> prepare(std::size_t size) override {
    size_ = size;
    address_ = "unix-abstract:symphony-peer-" + std::to_string(::getpid()) + "-" + std::to_string(now_ns());
    return {};
  }
  // Nothing of it is ever destroyed: the processes end.
  std::unique_ptr<Link> open(End end) override { return end == End::caller ? open_client() : open_server(); }

 private:
  struct Client {
    grpc::CompletionQueue queue;
    std::unique_ptr<Echo::Stub> stub;
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientAsyncReaderWriter<Message, Message>> stream;
  };
  struct Server {
    Echo::AsyncService service;
    std::unique_ptr<grpc::ServerCompletionQueue> queue;
    std::unique_ptr<grpc::Server> server;
    grpc::ServerContext context;
    grpc::ServerAsyncReaderWriter<Message, Message> stream{&context};
  };

  std::unique_ptr<Link> open_client() {
    auto* const client = new Client;
    grpc::ChannelArguments arguments;
    arguments.SetString(GRPC_ARG_OPTIMIZATION_TARGET, "latency");
    arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, read_ahead);
    arguments.SetInt(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, frame_max);
    // The server may not listen yet: try again soon.
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 10);
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 10);
    client->context.set_wait_for_ready(true);
    client->stub = Echo::NewStub(grpc::CreateCustomChannel(address_, grpc::InsecureChannelCredentials(), arguments));
    Operation opening;
    client->stream = client->stub->AsyncMessages(&client->context, &client->queue, start(opening));
    if (!finish(client->queue, opening)) return nullptr;
    return std::make_unique<GrpcLink<grpc::ClientAsyncReaderWriter<Message, Message>>>(client->queue, *client->stream,
                                                                                       size_);
  }
  std::unique_ptr<Link> open_server() {
    auto* const server = new Server;
    grpc::ServerBuilder builder;
    builder.AddChannelArgument(GRPC_ARG_OPTIMIZATION_TARGET, "latency");
    builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, read_ahead);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, frame_max);
    builder.AddListeningPort(address_, grpc::InsecureServerCredentials());
    builder.RegisterService(&server->service);
    server->queue = builder.AddCompletionQueue();
    server->server = builder.BuildAndStart();
    if (server->server == nullptr) return nullptr;
    Operation opening;
    server->service.RequestMessages(&server->context, &server->stream, server->queue.get(), server->queue.get(),
                                    start(opening));
    if (!finish(*server->queue, opening)) return nullptr;
    return std::make_unique<GrpcLink<grpc::ServerAsyncReaderWriter<Message, Message>>>(*server->queue, server->stream,
                                                                                       size_);
  }

  std::string address_;
  std::size_t size_ = 0;
};

constexpr std::array<AdapterEntry, 1> all{
    {{"grpc", []() -> std::unique_ptr<Adapter> { return std::make_unique<Grpc>(); }}}};

}  // namespace

std::span<const AdapterEntry> adapters() noexcept { return all; }

}  // namespace symphony::bench::peers
