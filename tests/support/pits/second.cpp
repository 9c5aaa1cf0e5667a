// A second pit for a shared object that holds one already.
#include <symphony/pit.hpp>

struct Second {
  symphony::Status on_raw(symphony::Raw, symphony::Ctx&) { return symphony::ok(); }
};

SYMPHONY_PIT(Second, second, "1.0.0");
