// The pit in a process behind gRPC: one unary call a message over a Unix socket with an abstract name, bodies as they
// are (FlatBuffers). Set as its performance guide advises where that holds for one caller who waits: one channel and
// one stub for all, the asynchronous API with a completion queue that the thread itself drives, optimisation target
// "latency".
#include <grpc/support/time.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <cstring>

#include "bench/decision/far_pit.hpp"

namespace symphony::bench {
namespace {

constexpr const char* method = "/symphony.Pit/Call";

grpc::ByteBuffer packed(const FarView& message) {
  FarHead head = message.head;
  head.body = message.body.size();
  head.text = message.text.size();
  // Lent, not copied: what they stand in outlives the operation.
  const grpc::Slice slices[] = {grpc::Slice(&head, sizeof head),
                                grpc::Slice(message.body.data(), message.body.size(), grpc::Slice::STATIC_SLICE),
                                grpc::Slice(message.text.data(), message.text.size(), grpc::Slice::STATIC_SLICE)};
  return {slices, 3};
}

// False: no message of ours.
bool unpack(const grpc::ByteBuffer& from, FarMessage& out) {
  std::vector<grpc::Slice> slices;
  if (!from.Dump(&slices).ok()) return false;
  std::size_t at = 0, part = 0;
  const auto read = [&](void* to, std::size_t size) {
    auto* bytes = static_cast<std::byte*>(to);
    while (size > 0) {
      if (part == slices.size()) return false;
      const std::size_t here = std::min(size, slices[part].size() - at);
      if (here > 0) std::memcpy(bytes, slices[part].begin() + at, here);
      bytes += here, at += here, size -= here;
      if (at == slices[part].size()) at = 0, ++part;
    }
    return true;
  };
  if (!read(&out.head, sizeof out.head) || out.head.body + out.head.text > from.Length()) return false;
  out.body.resize(out.head.body);
  out.text.resize(out.head.text);
  return read(out.body.data(), out.body.size()) && read(out.text.data(), out.text.size());
}

// The server's end: the next call is asked for before this one is answered, so that none waits for that.
class Server {
 public:
  explicit Server(FarPit& pit) : pit_(pit) {}
  int run(const std::string& address) {
    grpc::ServerBuilder builder;
    builder.AddChannelArgument(GRPC_ARG_OPTIMIZATION_TARGET, "latency");
    builder.SetMaxReceiveMessageSize(-1);
    builder.AddListeningPort(address, grpc::InsecureServerCredentials());
    builder.RegisterAsyncGenericService(&service_);
    queue_ = builder.AddCompletionQueue();
    server_ = builder.BuildAndStart();
    if (server_ == nullptr) return 1;
    ask();
    for (;;) {
      if (!came_ && !until(next_.get())) return 0;
      current_ = std::move(next_);
      ask();
      grpc::ByteBuffer request;
      current_->stream.Read(&request, &operation_);
      FarMessage message;
      FarView answer;
      if (!until(&operation_) || !unpack(request, message) || !pit_.answer(message, answer)) return 1;
      current_->stream.WriteAndFinish(packed(answer), grpc::WriteOptions(), grpc::Status::OK, &operation_);
      if (!until(&operation_)) return 1;
    }
  }

 private:
  struct Call {
    grpc::GenericServerContext context;
    grpc::GenericServerAsyncReaderWriter stream{&context};
  };
  void ask() {
    came_ = false;
    next_ = std::make_unique<Call>();
    service_.RequestCall(&next_->context, &next_->stream, queue_.get(), queue_.get(), next_.get());
  }
  // Drives the queue until `tag` is done; false: it failed, or the queue has ended.
  bool until(void* tag) {
    for (;;) {
      void* done = nullptr;
      bool right = false;
      if (!queue_->Next(&done, &right)) return false;
      if (done == tag) return right;
      if (done == next_.get()) came_ = right;
    }
  }

  FarPit& pit_;
  grpc::AsyncGenericService service_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<Call> current_, next_;
  bool came_ = false;
  int operation_ = 0;
};

class GrpcDoor final : public FarDoor {
 public:
  [[nodiscard]] bool open(const DoorPlan& plan, std::string& why) {
    const std::string address =
        "unix-abstract:symphony-decision-" + std::to_string(::getpid()) + "-" + std::to_string(now_ns());
    // Before anything of gRPC begins here: it has threads, and the server is a fork.
    if (!start(plan, false, why, [&](int, FarPit& pit) { return Server(pit).run(address); })) return false;
    grpc::ChannelArguments arguments;
    arguments.SetString(GRPC_ARG_OPTIMIZATION_TARGET, "latency");
    arguments.SetMaxReceiveMessageSize(-1);
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 10);  // the server may not listen yet
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 10);
    const auto channel = grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
    if (!channel->WaitForConnected(
            gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_seconds(10, GPR_TIMESPAN)))) {
      return why = "its gRPC server did not answer within 10 s", false;
    }
    queue_.emplace();
    stub_.emplace(channel);
    return true;
  }

 private:
  [[nodiscard]] bool exchange(const FarView& message) noexcept override {
    grpc::ClientContext context;
    const grpc::ByteBuffer request = packed(message);
    grpc::ByteBuffer reply;
    grpc::Status status;
    const auto call = stub_->PrepareUnaryCall(&context, method, request, &*queue_);
    call->StartCall();
    call->Finish(&reply, &status, this);
    void* done = nullptr;
    bool right = false;
    return queue_->Next(&done, &right) && right && status.ok() && unpack(reply, answer_);
  }

  // Not before the fork: whichever is first begins gRPC.
  std::optional<grpc::CompletionQueue> queue_;
  std::optional<grpc::GenericStub> stub_;
};

}  // namespace

std::unique_ptr<Door> open_grpc_door(const DoorPlan& plan, std::string& why) {
  auto door = std::make_unique<GrpcDoor>();
  return door->open(plan, why) ? std::move(door) : nullptr;
}

}  // namespace symphony::bench
