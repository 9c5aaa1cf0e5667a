// Stands in for the header of its name where bus/endpoint/caller_links.cpp is compiled for the simulator: the same
// class as far as CallerLinks sees it, with a queue in the socket's place.   Layer: tests.
#pragma once

#include "bus/control/messages.hpp"
#include "tests/proof/simulator/dice.hpp"

namespace symphony::detail {

class BrokerConnection {
 public:
  [[nodiscard]] explicit operator bool() const noexcept { return out_ != nullptr; }
  void connect(proof::Queue<control::Message>& out) noexcept { out_ = &out; }
  void disconnect() noexcept { out_ = nullptr; }
  // All brokers here are of this version.
  [[nodiscard]] static constexpr bool keeps_letters() noexcept { return true; }
  // One that is gone is not told.
  void send(const control::Message& message) noexcept {
    if (out_ != nullptr) out_->push(message);
  }

 private:
  proof::Queue<control::Message>* out_ = nullptr;
};

}  // namespace symphony::detail
