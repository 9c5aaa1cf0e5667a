# What the Cap'n Proto peer says to its other side.
@0xaae4c716c628a62f;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("symphony::bench::peers::capnp_echo");

interface Echo {
  # A round trip.
  trip @0 (body :Data) -> (body :Data);

  # One message of a stream, under the library's own flow control.
  push @1 (body :Data) -> stream;

  # Behind the last message of a stream: answered when all before it were handled.
  pushed @2 () -> ();
}
