#include <cstdio>
#include <symphony/conductor.hpp>
#include <symphony/typed.hpp>
#include "greeter_generated.h"

SYMPHONY_DECLARE_PIT(greeter);

int main() {
  symphony::Conductor conductor;
  if (!conductor.mount("greeter", {.entry = symphony_pit_greeter()}).ok()) return 1;
  symphony::Caller caller = conductor.open("greeter");
  flatbuffers::FlatBufferBuilder b;
  auto reply = symphony::call<greeter::Greeting>(caller, b, greeter::CreateHello(b, b.CreateString("world")));
  return std::puts(reply ? reply->text()->c_str() : symphony::status_name(reply.reply.status)) < 0;
}
