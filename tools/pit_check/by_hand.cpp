#include "tools/pit_check/by_hand.hpp"

namespace symphony::pit_check {

bool OneEnding::claim(std::uint32_t size_min, std::span<std::byte>& out) noexcept {
  bytes_.assign((std::size_t{size_min} + 7) / 8, 0);
  out = std::as_writable_bytes(std::span(bytes_));
  return true;
}

void OneEnding::commit(std::uint32_t used, std::uint32_t type) noexcept {
  ++endings;
  const auto bytes = std::as_bytes(std::span(bytes_)).first(used);
  ending = {SYMPHONY_OK, type, Body(bytes.begin(), bytes.end()), {}};
}

void OneEnding::fail(std::int32_t status, std::string_view text) noexcept {
  ++endings;
  ending = {status, 0, {}, std::string(text)};
}

pit::ReplySink* OneEnding::defer(std::uint64_t request) noexcept {
  later = request;
  return this;
}

bool OneEnding::abandoned() const noexcept {
  ++asked;
  return patience >= 0 && asked > patience;
}

std::unique_ptr<pit::Instance> make(Trial& trial, const pit::InstanceOptions& options) {
  std::unique_ptr<pit::Instance> instance;
  Trial::require_ok(trial.stage.make_instance(options, instance), "create");
  return instance;
}

std::unique_ptr<pit::Instance> make_running(Trial& trial, const pit::InstanceOptions& options) {
  auto instance = make(trial, options);
  Trial::require_ok(instance->init(), "init");
  Trial::require_ok(instance->start(), "start");
  instance->feed(7, fed_start_ns);
  return instance;
}

Ending send(pit::Instance& instance, const Message& message, OneEnding& sink) {
  static std::uint64_t id = 0;
  const symphony_envelope envelope{++id, 0, message.type, SYMPHONY_FLAG_REQUEST, 0, 0};
  instance.handle(envelope, message.body, sink);
  if (sink.later != 0 && sink.endings == 0) {
    instance.forget(sink.later);
    return {SYMPHONY_CANCELLED, 0, {}, {}};
  }
  Trial::require(sink.endings == 1, "a request had " + std::to_string(sink.endings) + " endings");
  return sink.ending;
}

Ending send(pit::Instance& instance, const Message& message) {
  OneEnding sink;
  return send(instance, message, sink);
}

}  // namespace symphony::pit_check
