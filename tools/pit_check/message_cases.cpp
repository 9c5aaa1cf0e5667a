// Messages that no caller should send. Whatever comes, the pit ends the request with a status and is usable afterwards.
#include <array>
#include <string>

#include "tools/pit_check/caller.hpp"
#include "tools/pit_check/cases.hpp"

namespace symphony::pit_check {
namespace message {
namespace {

constexpr std::size_t body_size_max = 512;  // of a random body
constexpr int bodies_a_type = 300;
constexpr std::uint64_t damaged_max = 6'000;

// Sends what `make` makes, for each message type, and sees that the pit goes on.
template <class Make>
void send_to_each_type(Trial& trial, int count, std::string_view what, Make&& make_body) {
  const auto mounted = mount(trial);
  Caller caller(trial, mounted->host());
  for (const symphony_message_note& message : trial.note().messages) {
    for (int i = 0; i < trial.rounds(count); ++i) (void)caller.call(message.type, make_body());
  }
  for (int i = 0; i < trial.rounds(count) / 10 + 1; ++i) (void)caller.call(unlisted_type(trial), make_body());
  require_usable(trial, mounted->host(), what);
}

void unknown_types(Trial& trial) {
  const auto mounted = mount(trial);
  Caller caller(trial, mounted->host());
  for (int i = 0; i < 200; ++i) {
    (void)caller.call(unlisted_type(trial), random_bytes(trial.random, below(trial.random, 64)));
  }
  require_usable(trial, mounted->host(), "unknown message types");
}

void empty_bodies(Trial& trial) {
  send_to_each_type(trial, 20, "empty bodies", [] { return Body(); });
}
void random_bodies(Trial& trial) {
  send_to_each_type(trial, bodies_a_type, "random bodies",
                    [&] { return random_bytes(trial.random, below(trial.random, body_size_max)); });
}
void short_bodies(Trial& trial) {
  send_to_each_type(trial, bodies_a_type, "bodies of a few bytes",
                    [&] { return random_bytes(trial.random, 1 + below(trial.random, 16)); });
}
void constant_bodies(Trial& trial) {
  send_to_each_type(trial, bodies_a_type, "bodies of one byte's value", [&] {
    const std::byte values[] = {std::byte{0}, std::byte{0xFF}, std::byte{0x7F}, std::byte{0x80}, std::byte{1}};
    return Body(1 + below(trial.random, body_size_max), values[below(trial.random, std::size(values))]);
  });
}
void message_like_bodies(Trial& trial) {
  send_to_each_type(trial, bodies_a_type, "bodies that are shaped like messages",
                    [&] { return random_table(trial.random); });
}
void large_bodies(Trial& trial) {
  send_to_each_type(trial, 4, "large bodies", [&] { return random_bytes(trial.random, 60'000); });
}

// What may be done to the messages that the pit takes.
template <class Damage>
void send_damaged(Trial& trial, std::string_view what, Damage&& damage) {
  const Corpus corpus(trial);
  trial.remark = std::to_string(corpus.types_taken()) + " of " + std::to_string(trial.note().messages.size()) +
                 " message types had bodies that the pit takes";
  const auto mounted = mount(trial);
  Caller caller(trial, mounted->host());
  const std::uint64_t share = trial.rounds(damaged_max) / corpus.all().size();
  for (const Message& message : corpus.all()) damage(caller, message, share);
  require_usable(trial, mounted->host(), what);
}

void truncated_messages(Trial& trial) {
  send_damaged(trial, "truncated messages", [](Caller& caller, const Message& message, std::uint64_t) {
    for (std::size_t size = 0; size < message.body.size(); ++size) {
      (void)caller.call(message.type, std::span(message.body).first(size));
    }
  });
}
void flipped_bits(Trial& trial) {
  send_damaged(trial, "messages with a flipped bit", [&](Caller& caller, const Message& message, std::uint64_t share) {
    const std::uint64_t bits = message.body.size() * 8;
    for (std::uint64_t i = 0; i < bits && i < share; ++i) {
      const std::uint64_t bit = bits <= share ? i : below(trial.random, bits);
      (void)caller.call(message.type, flipped(message.body, bit));
    }
  });
}
void damaged_messages(Trial& trial) {
  send_damaged(trial, "damaged messages", [&](Caller& caller, const Message& message, std::uint64_t share) {
    for (std::uint64_t i = 0; i < share / 2; ++i) {
      (void)caller.call(message.type, damaged(trial.random, message.body));
    }
  });
}
void messages_of_another_type(Trial& trial) {
  const Corpus corpus(trial);
  const auto mounted = mount(trial);
  Caller caller(trial, mounted->host());
  for (const Message& message : corpus.all()) {
    for (const symphony_message_note& other : trial.note().messages) (void)caller.call(other.type, message.body);
  }
  require_usable(trial, mounted->host(), "messages under another one's type");
}

void any_address(Trial& trial) {
  const Corpus corpus(trial);
  const auto straight = mount_fed(trial);
  const auto shifted = mount_fed(trial);
  Caller aligned(trial, straight->host());
  Caller unaligned(trial, shifted->host());
  for (int i = 0; i < 100; ++i) {
    const Message& message = corpus.any(trial.random);
    Body moved(message.body.size() + 8);
    const std::size_t by = 1 + below(trial.random, 7);
    std::copy(message.body.begin(), message.body.end(), moved.begin() + static_cast<std::ptrdiff_t>(by));
    const Ending a = aligned.call(message.type, message.body);
    const Ending b = unaligned.call(message.type, std::span(moved).subspan(by, message.body.size()));
    if (a != b) Trial::fail("a body at an odd address was answered with " + b.described() + ", not " + a.described());
  }
}

constexpr std::array cases{
    Case{"message.unknown_type", "a type that the note does not list is answered with a status", Ground::any,
         &unknown_types},
    Case{"message.empty", "an empty body of each type is answered", Ground::any, &empty_bodies},
    Case{"message.short", "a body of a few bytes is answered", Ground::any, &short_bodies},
    Case{"message.random", "random bytes are answered", Ground::any, &random_bodies},
    Case{"message.constant", "zeroes, ones and other constants are answered", Ground::any, &constant_bodies},
    Case{"message.shaped", "well-formed buffers that are no message of the pit are answered", Ground::any,
         &message_like_bodies},
    Case{"message.large", "60,000 random bytes are answered", Ground::any, &large_bodies},
    Case{"message.truncated", "each beginning of a good message is answered", Ground::any, &truncated_messages},
    Case{"message.bit_flipped", "good messages with a flipped bit are answered", Ground::any, &flipped_bits},
    Case{"message.damaged", "good messages with damage in several places are answered", Ground::any, &damaged_messages},
    Case{"message.of_another_type", "a good message under another type is answered", Ground::any,
         &messages_of_another_type},
    Case{"message.at_any_address", "a body at an odd address is answered as one at an even", Ground::any, &any_address},
};

}  // namespace
}  // namespace message

std::span<const Case> message_cases() noexcept { return message::cases; }

}  // namespace symphony::pit_check
