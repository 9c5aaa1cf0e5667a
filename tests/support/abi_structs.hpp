// The structs of symphony/pit.h as this compiler lays them out.   Layer: tests.
#pragma once

#include <symphony/pit.h>

#include <cstddef>
#include <string>
#include <vector>

namespace symphony::test {

struct AbiField {
  std::string name;
  std::size_t offset;
  std::size_t size;
};
struct AbiStruct {
  std::string name;
  std::size_t size;
  std::vector<AbiField> fields;
};

// In the order of the header, each field in its order.
inline std::vector<AbiStruct> abi_structs() {
  std::vector<AbiStruct> all;
// The size of a pointer is what is asked for.
// NOLINTBEGIN(bugprone-sizeof-expression)
#define SIZE(type) all.push_back({#type, sizeof(type), {}})
#define FIELD(type, field) all.back().fields.push_back({#field, offsetof(type, field), sizeof(type::field)})
  SIZE(symphony_span);
  FIELD(symphony_span, p);
  FIELD(symphony_span, n);
  FIELD(symphony_span, reserved);
  SIZE(symphony_mut_span);
  FIELD(symphony_mut_span, p);
  FIELD(symphony_mut_span, n);
  FIELD(symphony_mut_span, reserved);
  SIZE(symphony_envelope);
  FIELD(symphony_envelope, id);
  FIELD(symphony_envelope, deadline_ns);
  FIELD(symphony_envelope, type);
  FIELD(symphony_envelope, flags);
  FIELD(symphony_envelope, attempt);
  FIELD(symphony_envelope, reserved);
  SIZE(symphony_msg);
  FIELD(symphony_msg, struct_size);
  FIELD(symphony_msg, reserved);
  FIELD(symphony_msg, envelope);
  FIELD(symphony_msg, body);
  FIELD(symphony_msg, request);
  SIZE(symphony_call);
  FIELD(symphony_call, struct_size);
  FIELD(symphony_call, type);
  FIELD(symphony_call, effect);
  FIELD(symphony_call, reserved);
  FIELD(symphony_call, service);
  FIELD(symphony_call, body);
  FIELD(symphony_call, deadline_ns);
  FIELD(symphony_call, cookie);
  SIZE(symphony_sink);
  FIELD(symphony_sink, struct_size);
  FIELD(symphony_sink, reserved);
  FIELD(symphony_sink, context);
  FIELD(symphony_sink, write);
  SIZE(symphony_source);
  FIELD(symphony_source, struct_size);
  FIELD(symphony_source, reserved);
  FIELD(symphony_source, context);
  FIELD(symphony_source, read);
  SIZE(symphony_host);
  FIELD(symphony_host, struct_size);
  FIELD(symphony_host, abi_major);
  FIELD(symphony_host, abi_minor);
  FIELD(symphony_host, context);
  FIELD(symphony_host, log);
  FIELD(symphony_host, now);
  FIELD(symphony_host, claim);
  FIELD(symphony_host, commit);
  FIELD(symphony_host, error);
  FIELD(symphony_host, random);
  FIELD(symphony_host, get_extension);
  FIELD(symphony_host, publish);
  FIELD(symphony_host, call_async);
  FIELD(symphony_host, timer_set);
  FIELD(symphony_host, timer_cancel);
  FIELD(symphony_host, cancelled);
  FIELD(symphony_host, mark_dirty);
  FIELD(symphony_host, reply);
  SIZE(symphony_message_note);
  FIELD(symphony_message_note, type);
  FIELD(symphony_message_note, effect);
  SIZE(symphony_note);
  FIELD(symphony_note, struct_size);
  FIELD(symphony_note, abi_major);
  FIELD(symphony_note, abi_minor);
  FIELD(symphony_note, name);
  FIELD(symphony_note, version);
  FIELD(symphony_note, messages);
  FIELD(symphony_note, message_count);
  FIELD(symphony_note, reply_size_max);
  FIELD(symphony_note, state_revision);
  FIELD(symphony_note, state_revision_min);
  FIELD(symphony_note, needs);
  FIELD(symphony_note, need_count);
  FIELD(symphony_note, thread_model);
  FIELD(symphony_note, schema_hash);
  SIZE(symphony_pit_entry);
  FIELD(symphony_pit_entry, struct_size);
  FIELD(symphony_pit_entry, reserved);
  FIELD(symphony_pit_entry, note);
  FIELD(symphony_pit_entry, create);
  FIELD(symphony_pit_entry, init);
  FIELD(symphony_pit_entry, start);
  FIELD(symphony_pit_entry, handle);
  FIELD(symphony_pit_entry, drain);
  FIELD(symphony_pit_entry, snapshot);
  FIELD(symphony_pit_entry, restore);
  FIELD(symphony_pit_entry, stop);
  FIELD(symphony_pit_entry, destroy);
  FIELD(symphony_pit_entry, get_extension);
  FIELD(symphony_pit_entry, timer);
#undef SIZE
#undef FIELD
  // NOLINTEND(bugprone-sizeof-expression)
  return all;
}

}  // namespace symphony::test
