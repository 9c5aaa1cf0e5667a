#include "bench/decision/trace.hpp"

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

namespace symphony::bench {
namespace {

constexpr char digits[] = "0123456789abcdef";

std::string hex_of(const std::vector<std::byte>& bytes) {
  std::string out;
  for (const std::byte b : bytes) {
    out += digits[std::to_integer<unsigned>(b) >> 4];
    out += digits[std::to_integer<unsigned>(b) & 15];
  }
  return out;
}

bool bytes_of(const std::string& hex, std::vector<std::byte>& out) {
  if (hex.size() % 2 != 0) return false;
  out.clear();
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    unsigned value = 0;
    for (const char c : {hex[i], hex[i + 1]}) {
      const unsigned digit = c >= '0' && c <= '9'   ? unsigned(c - '0')
                             : c >= 'a' && c <= 'f' ? unsigned(c - 'a') + 10
                                                    : 16;
      if (digit == 16) return false;
      value = value * 16 + digit;
    }
    out.push_back(static_cast<std::byte>(value));
  }
  return true;
}

}  // namespace

std::string write_trace(const std::string& path, const Trace& trace) {
  nlohmann::ordered_json document{{"format", "symphony-trace"},
                                  {"version", 1},
                                  {"pit", trace.pit},
                                  {"what", trace.what},
                                  {"schema_hash", trace.schema_hash},
                                  {"set_up", trace.set_up},
                                  {"calls", nlohmann::ordered_json::array()}};
  for (const TracedCall& call : trace.calls) {
    document["calls"].push_back({{"type", call.type}, {"effect", call.effect}, {"body", hex_of(call.body)}});
  }
  std::ofstream file(path);
  file << document.dump() << '\n';
  return file.flush() ? "" : path + ": cannot be written: is the disk full, the folder there?";
}

std::string read_trace(const std::string& path, Trace& out) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return path + ": cannot be read: name a trace that `symphony bench hosting --save-trace` wrote";
  if (file.tellg() < 0 || static_cast<std::uint64_t>(file.tellg()) > trace_file_max)
    return path + ": larger than 256 MiB: cut it";
  file.seekg(0);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const auto document = nlohmann::json::parse(text, nullptr, false);
  try {
    if (!document.is_object() || document.value("format", "") != "symphony-trace") {
      return path + ": is no trace: name one that `symphony bench hosting --save-trace` wrote";
    }
    if (document.at("version") != 1) return path + ": a trace of another version: record it again with this release";
    out = {document.at("pit").get<std::string>(), document.at("what").get<std::string>(),
           document.at("schema_hash").get<std::uint64_t>(), document.at("set_up").get<std::size_t>()};
    for (const auto& call : document.at("calls")) {
      TracedCall& one = out.calls.emplace_back();
      one.type = call.at("type").get<std::uint32_t>();
      one.effect = call.at("effect").get<std::uint32_t>();
      if (!bytes_of(call.at("body").get<std::string>(), one.body))
        return path + ": a body is not hexadecimal: record it again";
    }
  } catch (const nlohmann::json::exception&) {
    return path + ": a field of the trace is missing or of another kind: record it again";
  }
  if (out.calls.size() > trace_calls_max) return path + ": more than 1,000,000 calls: cut it";
  if (out.set_up >= out.calls.size()) return path + ": no calls behind the set-up: nothing to measure";
  return {};
}

std::string trace_misfit(const Trace& trace, const pit::PitInfo& info) {
  if (trace.pit != info.name) return "the trace is of the pit '" + trace.pit + "', not of '" + info.name + "'";
  if (trace.schema_hash != 0 && info.schema_hash != 0 && trace.schema_hash != info.schema_hash) {
    return "the trace was recorded with another schema of '" + info.name + "': record it again";
  }
  for (const TracedCall& call : trace.calls) {
    if (!info.messages.empty() && !info.effect_of(call.type)) {
      return "the trace has a message of type " + std::to_string(call.type) + " that '" + info.name +
             "' does not take: it is of another schema";
    }
  }
  return {};
}

}  // namespace symphony::bench
