#include <symphony/pit.hpp>
#include "greeter_generated.h"

struct Greeter {
  symphony::Result<greeter::Greeting> on(symphony::In<greeter::Hello> hello, symphony::Ctx& ctx) {
    return greeter::CreateGreeting(ctx.builder(), ctx.text("Hello, ", hello->name(), "!"), ++greeted_);
  }
  symphony::Status snapshot(symphony::Sink out) const { return out.write_value(greeted_); }
  symphony::Status restore(symphony::Source in, std::uint32_t) { return in.read_value(greeted_); }

  std::uint64_t greeted_ = 0;
};

SYMPHONY_PIT(Greeter, greeter, "1.0.0", symphony::once<greeter::Hello>);
