// A pit that uses every part of the C++ face.   Layer: tests.
#pragma once

#include <stdexcept>
#include <string>
#include <symphony/pit.hpp>
#include <vector>

#include "probe_generated.h"

namespace probe {

struct ProbePit {
  static constexpr std::uint32_t state_revision = 3;
  static constexpr std::uint32_t state_revision_min = 2;
  static constexpr std::uint32_t reply_size_max = 1 << 20;

  symphony::Result<Summary> on(symphony::In<Tree> tree, symphony::Ctx& ctx) {
    std::uint32_t nodes = 0;
    std::uint32_t characters = 0;
    std::uint64_t sum = 0;
    std::vector<const Node*> open{tree->root()};
    while (!open.empty()) {
      const Node* node = open.back();
      open.pop_back();
      ++nodes;
      if (node->name() != nullptr) characters += node->name()->size();
      if (node->numbers() != nullptr) {
        for (const std::uint32_t n : *node->numbers()) sum += n;
      }
      if (node->children() != nullptr) open.insert(open.end(), node->children()->begin(), node->children()->end());
    }
    return CreateSummary(ctx.builder(), nodes, characters, sum, tree->tag());
  }
  symphony::Status on(symphony::In<Throw> what, symphony::Ctx&) {
    if (what->what() == nullptr) throw 7;
    throw std::runtime_error(what->what()->str());
  }
  symphony::Status on(symphony::In<Add> add, symphony::Ctx& ctx) {
    if (add->value() == 0) return ctx.fail(11, "cannot add ", add->value(), " to ", total, ": ", true);
    total += add->value();
    return ctx.reply(CreateTotal(ctx.builder(), total));
  }
  symphony::Status on(symphony::In<Big> big, symphony::Ctx& ctx) {
    const std::vector<std::uint8_t> bytes(big->size(), 0x5A);
    return ctx.reply_bytes(99, bytes.data(), bytes.size());
  }
  symphony::Status on_raw(symphony::Raw raw, symphony::Ctx& ctx) {
    if (raw.envelope().type != 1234) return ctx.fail(SYMPHONY_UNKNOWN_TYPE, "raw type ", raw.envelope().type);
    return ctx.reply_bytes(1234, raw.bytes().p, raw.bytes().n);
  }
  symphony::Status configure(std::string_view json, symphony::Ctx&) {
    if (json == "throw") throw std::runtime_error("bad config");
    if (json != "{\"start\":5}") return symphony::fail(12, "only {\"start\":5} is known here");
    total = 5;
    return symphony::ok();
  }
  symphony::Status snapshot(symphony::Sink out) const {
    out.write_value(total);
    std::uint8_t padding[1000];
    for (std::size_t i = 0; i < sizeof padding; ++i) padding[i] = static_cast<std::uint8_t>(i * 7);
    return out.write(padding, sizeof padding);
  }
  symphony::Status restore(symphony::Source in, std::uint32_t revision) {
    std::uint64_t read = 0;
    if (const auto s = in.read_value(read); !s.ok()) return s;
    std::uint8_t padding[1000];
    if (const auto s = in.read_exact(padding, sizeof padding); !s.ok()) return s;
    for (std::size_t i = 0; i < sizeof padding; ++i) {
      if (padding[i] != static_cast<std::uint8_t>(i * 7)) {
        return symphony::fail(SYMPHONY_BAD_MESSAGE, "the snapshot's padding is not what snapshot() wrote");
      }
    }
    total = revision == 2 ? read * 10 : read;
    return symphony::ok();
  }

  std::uint64_t total = 0;
};

using ProbeFace = symphony::pit::Face<ProbePit, "probe", "1.0.0", symphony::read<Tree>, symphony::once<Throw>,
                                      symphony::once<Add>, symphony::read<Big>>;

}  // namespace probe
