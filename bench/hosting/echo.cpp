// The least that a pit can do: succeed. Linked in and as a shared object.
#include <symphony/pit.hpp>

struct Echo {
  symphony::Status on_raw(symphony::Raw, symphony::Ctx&) { return symphony::ok(); }
};

SYMPHONY_PIT(Echo, echo, "1.0.0");
