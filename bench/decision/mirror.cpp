// The empty pit of `symphony bench hosting`: a message comes back as it went.
#include <symphony/pit.hpp>
#include "mirror_generated.h"

struct MirrorPit {
  symphony::Result<symphony::bench::Mirror> on(symphony::In<symphony::bench::Mirror> in, symphony::Ctx& ctx) {
    flatbuffers::Offset<flatbuffers::Vector<std::uint8_t>> bytes;
    if (in->bytes() != nullptr) bytes = ctx.builder().CreateVector(in->bytes()->data(), in->bytes()->size());
    return symphony::bench::CreateMirror(ctx.builder(), in->number(), bytes);
  }
};

SYMPHONY_PIT(MirrorPit, mirror, "1.0.0", symphony::read<symphony::bench::Mirror>);
