// The C ABI: what programs say to libsymphony (structs of any size, handles that are none, schemas, messages, JSON),
// and what a pit's table and note say to their host.
#include <symphony.h>
#include <symphony/pit.h>

#include <cstdlib>
#include <cstring>
#include <string_view>

#include "pits/hosting/pit_info.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/targets.hpp"

namespace symphony::fuzz {
namespace {

// A struct with zeros behind it for as far as it may say that it goes.
template <class Struct>
struct Padded {
  static constexpr std::uint32_t size_max = 1024;
  explicit Padded(Input& from) { held.what.struct_size = size_of(from); }
  static std::uint32_t size_of(Input& from) {
    return from.flag() ? std::uint32_t{sizeof(Struct)} : from.number_as<std::uint32_t>() % (size_max + 1);
  }
  Struct* operator->() { return &held.what; }
  Struct* get() { return &held.what; }
  union Held {
    Held() : bytes{} { what = Struct{}; }
    std::byte bytes[size_max];
    Struct what;
  } held;
};

// Structs as they come, of whatever size they say; pointers are null or to a text that ends.
const char* judge_handles(Input& from) {
  // Options that are cut off before these fields mean the ones of the environment.
  ::setenv("SYMPHONY_KEEPER", "/none/such", 1);
  ::setenv("XDG_RUNTIME_DIR", "/none/such", 1);
  const std::string name = from.text();
  while (!from.empty()) {
    const std::uint64_t handle = from.number();
    std::int32_t status = 0;
    switch (from.below(14)) {
      case 0: {
        Padded<symphony_connect_options> options(from);
        // One that is cut off before its timeout waits for seconds.
        if (options->struct_size % 8 == 0 && options->struct_size < sizeof(symphony_connect_options))
          options->struct_size = sizeof(symphony_connect_options);
        options->path = "/none/such";
        options->timeout_ns = 1;
        symphony_bus bus = 0;
        status = symphony_bus_connect(options.get(), &bus);
        if (status == SYMPHONY_OK || bus != 0) return "a bus where there is none";
        break;
      }
      case 1: {
        Padded<symphony_broker_options> options(from);
        options->keeper_executable = "/none/such";
        Padded<symphony_pit_config> pit(from);
        pit->trust = from.number_as<std::uint32_t>();
        pit->name = from.flag() ? name.c_str() : nullptr;
        pit->executable = from.flag() ? "/none" : nullptr;
        pit->instances = from.number_as<std::uint32_t>();
        options->pits = from.flag() ? pit.get() : nullptr;
        options->pit_count = options->pits != nullptr ? 1 : from.below(2);
        symphony_broker broker = 0;
        status = symphony_broker_start(options.get(), &broker);
        if (status == SYMPHONY_OK || broker != 0) return "a broker without its helper program";
        break;
      }
      case 2: {
        symphony_bus bus = 0;
        status = symphony_broker_connect(handle, &bus);
        break;
      }
      case 3:
        status = symphony_broker_kill_pit(handle, from.flag() ? name.c_str() : nullptr, nullptr);
        break;
      case 4: {
        std::size_t count = 0;
        symphony_pit_info info{};
        status = symphony_bus_list(handle, 0, &info, from.number(), 1, &count, nullptr);
        break;
      }
      case 5: {
        Padded<symphony_link_options> options(from);
        options->request_capacity = from.number_as<std::uint32_t>();
        symphony_link link = 0;
        status = symphony_bus_open(handle, from.flag() ? name.c_str() : nullptr, options.get(), 0, &link);
        break;
      }
      case 6: {
        Padded<symphony_call_options> options(from);
        options->effect = from.number_as<std::uint32_t>();
        options->timeout_ns = 1;
        symphony_reply reply{};
        status = symphony_link_call(handle, from.number_as<std::uint32_t>(), name.data(), name.size(), options.get(),
                                    &reply);
        break;
      }
      case 7: {
        std::uint64_t call = 0;
        status = symphony_link_start(handle, 7, name.data(), name.size(), nullptr, &call);
        break;
      }
      case 8: {
        symphony_reply reply{};
        status = symphony_link_wait(handle, from.number(), 0, &reply);
        break;
      }
      case 9:
        status = symphony_link_wait_any(handle, 0);
        break;
      case 10: {
        symphony_link_counters counters{};
        status = symphony_link_count(handle, &counters, from.number());
        break;
      }
      case 11:
        status = from.flag() ? symphony_link_close(handle) : symphony_bus_close(handle);
        break;
      case 12: {
        char table[32];
        status = symphony_schema_table_of(handle, from.number_as<std::uint32_t>(), table, sizeof table);
        break;
      }
      default:
        status = from.flag() ? symphony_schema_close(handle) : symphony_broker_stop(handle);
    }
    if (status >= 0) return "a handle that nobody gave was taken";
    if (std::strlen(symphony_last_error()) == 0) return "an error without its text";
    if (std::string_view(symphony_status_text(status)) == "unknown status")
      return "a status that the table does not have";
  }
  return nullptr;
}

// A schema, and messages of it: each that is valid has a text, from which comes a message again.
const char* judge_schema(Input& from) {
  const std::uint64_t schema_size = from.take(2);
  const auto all = from.rest();
  const auto bfbs = all.first(schema_size < all.size() ? schema_size : all.size());
  Exactly schema_bytes(bfbs), message_bytes(all.subspan(bfbs.size()));
  const auto schema_span = schema_bytes.bytes(), message = message_bytes.bytes();
  symphony_schema schema = 0;
  if (symphony_schema_open(schema_span.data(), schema_span.size(), &schema) != SYMPHONY_OK) return nullptr;
  char table[128] = "";
  const char* wrong = nullptr;
  if (symphony_schema_find(schema, "Message", table, sizeof table) == SYMPHONY_OK &&
      symphony_schema_verify(schema, table, message.data(), message.size()) == SYMPHONY_OK) {
    char* json = nullptr;
    std::size_t json_size = 0;
    const std::int32_t told = symphony_schema_to_json(schema, table, message.data(), message.size(), &json, &json_size);
    if (told == SYMPHONY_OK && std::strlen(json) > json_size) wrong = "a text longer than it says";
    void* bytes = nullptr;
    std::size_t size = 0;
    if (told == SYMPHONY_OK && symphony_schema_from_json(schema, table, json, &bytes, &size) == SYMPHONY_OK) {
      if (symphony_schema_verify(schema, table, bytes, size) != SYMPHONY_OK) wrong = "a message of a text is not valid";
      symphony_free(bytes);
    }
    symphony_free(json);
  }
  void* bytes = nullptr;
  std::size_t size = 0;
  const std::string json(reinterpret_cast<const char*>(message.data()), message.size());
  if (symphony_schema_from_json(schema, table, json.c_str(), &bytes, &size) == SYMPHONY_OK) {
    if (symphony_schema_verify(schema, table, bytes, size) != SYMPHONY_OK) wrong = "a message of a text is not valid";
    symphony_free(bytes);
  }
  if (symphony_schema_close(schema) != SYMPHONY_OK) return "a schema that cannot be closed";
  return wrong;
}

// A pit's own table: short, of another version, with nulls; every byte that it may have is there.
const char* judge_table(Input& from) {
  alignas(8) std::byte table_bytes[pit::pit_struct_size_max] = {}, note_bytes[pit::pit_struct_size_max] = {};
  symphony_pit_entry table{};
  symphony_note note{};
  const std::string name = from.text(), version = from.text();
  note.struct_size = from.flag() ? sizeof note : from.number_as<std::uint32_t>();
  note.abi_major = from.flag() ? SYMPHONY_ABI_MAJOR : from.number_as<std::uint16_t>();
  note.abi_minor = from.number_as<std::uint16_t>();
  note.name = from.flag() ? name.c_str() : nullptr;
  note.version = from.flag() ? version.c_str() : nullptr;
  symphony_message_note messages[4];
  for (auto& one : messages) one = {from.number_as<std::uint32_t>(), from.number_as<std::uint32_t>()};
  note.messages = from.flag() ? messages : nullptr;
  note.message_count = note.messages != nullptr ? from.below(5) : from.below(2);
  note.reply_size_max = from.number_as<std::uint32_t>();
  note.state_revision = from.number_as<std::uint32_t>();
  note.state_revision_min = from.number_as<std::uint32_t>();
  const char* needs[2] = {from.flag() ? name.c_str() : nullptr, version.c_str()};
  note.needs = from.flag() ? needs : nullptr;
  note.need_count = note.needs != nullptr ? from.below(3) : from.below(2);
  std::memcpy(note_bytes, &note, sizeof note);
  table.struct_size = from.flag() ? sizeof table : from.number_as<std::uint32_t>();
  table.note = from.flag() ? reinterpret_cast<const symphony_note*>(note_bytes) : nullptr;
  if (from.flag()) table.create = [](const symphony_host*, symphony_span, void**) { return SYMPHONY_OK; };
  if (from.flag()) table.handle = [](void*, const symphony_msg*) { return SYMPHONY_OK; };
  if (from.flag()) table.destroy = [](void*) {};
  std::memcpy(table_bytes, &table, sizeof table);
  symphony_pit_entry read{};
  pit::PitInfo info;
  const pit::Outcome outcome = pit::read_entry(*reinterpret_cast<const symphony_pit_entry*>(table_bytes), read, info);
  if (!outcome.ok()) return outcome.text.empty() ? "refused without a reason" : nullptr;
  if (read.create == nullptr || read.handle == nullptr || read.destroy == nullptr)
    return "a table without its functions was taken";
  return info.name == name && info.messages.size() == note.message_count ? nullptr : "what the table says was changed";
}

}  // namespace

// The first byte: which of them.
const char* run_c_abi(std::span<const std::uint8_t> input) {
  Input from(input);
  switch (from.below(3)) {
    case 0:
      return judge_handles(from);
    case 1:
      return judge_schema(from);
    default:
      return judge_table(from);
  }
}

}  // namespace symphony::fuzz
