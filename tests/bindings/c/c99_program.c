/* A program in C99 with a broker of its own, that calls a pit.   usage: c99_program PIT_HOST PIT */
#include <symphony.h>
#include <symphony/pit.h>

#include <stdio.h>
#include <string.h>

static int failed(const char* what, int32_t status) {
  fprintf(stderr, "%s: %ld %s: %s\n", what, (long)status, symphony_status_text(status), symphony_last_error());
  return 1;
}

int main(int count, char** words) {
  /* An empty table of FlatBuffers: the root's offset, its vtable (two sizes), where that is. */
  static const unsigned char empty[] = {8, 0, 0, 0, 4, 0, 4, 0, 4, 0, 0, 0};
  symphony_pit_config pit;
  symphony_broker_options options;
  symphony_link_options link_options;
  symphony_broker broker;
  symphony_bus bus;
  symphony_link link;
  symphony_reply reply;
  symphony_pit_info info;
  symphony_mount mount;
  unsigned char room[64];
  uint32_t revision = 0;
  void* state = NULL;
  size_t state_size = 0;
  size_t known = 0;
  uint64_t call = 0;
  int32_t status;
  const char* arguments[2];

  if (count != 3) return 2;
  if (symphony_abi_version() >> 16 != SYMPHONY_C_ABI_MAJOR) return failed("abi", 0);
  arguments[0] = words[2];
  arguments[1] = NULL;
  memset(&pit, 0, sizeof pit);
  pit.struct_size = sizeof pit;
  pit.name = "probe";
  pit.executable = words[1];
  pit.arguments = arguments;
  memset(&options, 0, sizeof options);
  options.struct_size = sizeof options;
  options.pit_count = 1;
  options.pits = &pit;
  memset(&link_options, 0, sizeof link_options);
  link_options.struct_size = sizeof link_options;
  link_options.in_flight_max = 8;

  if ((status = symphony_broker_start(&options, &broker)) != SYMPHONY_OK) return failed("start", status);
  if ((status = symphony_broker_connect(broker, &bus)) != SYMPHONY_OK) return failed("connect", status);
  if ((status = symphony_bus_open(bus, "probe", &link_options, -1, &link)) != SYMPHONY_OK)
    return failed("open", status);
  status = symphony_link_call(link, symphony_type_id("probe.Do"), empty, sizeof empty, NULL, &reply);
  if (status != SYMPHONY_OK || reply.type != symphony_type_id("probe.Done")) return failed("call", status);
  status = symphony_link_start(link, symphony_type_id("probe.Do"), empty, sizeof empty, NULL, &call);
  if (status != SYMPHONY_OK) return failed("begin", status);
  if ((status = symphony_link_wait(link, call, -1, &reply)) != SYMPHONY_OK) return failed("wait", status);
  if ((status = symphony_link_keep(link, &reply)) != SYMPHONY_OK) return failed("keep", status);
  if ((status = symphony_bus_list(bus, -1, &info, sizeof info, 1, &known, NULL)) != SYMPHONY_OK)
    return failed("list", status);
  if (known != 1 || strcmp(info.name, "probe") != 0 || strcmp(info.state, "ready") != 0) return failed("list", status);
  if ((status = symphony_link_close(link)) != SYMPHONY_OK) return failed("close", status);
  symphony_free(reply.body);
  if (symphony_link_wait(link, call, 0, &reply) != SYMPHONY_E_CLOSED) return failed("a closed link", status);
  if ((status = symphony_mount_file(words[2], NULL, &mount)) != SYMPHONY_OK) return failed("mount", status);
  if (symphony_mount_call_into(mount, symphony_type_id("probe.Do"), empty, sizeof empty, NULL, room, sizeof room,
                               &reply) <= 0)
    return failed("call in this program", reply.status);
  if (symphony_mount_save(mount, &revision, &state, &state_size) != SYMPHONY_VERSION)
    return failed("a state where there is none", 0);
  if ((status = symphony_mount_close(mount)) != SYMPHONY_OK) return failed("close the mount", status);
  if (symphony_mount_close(mount) != SYMPHONY_E_CLOSED) return failed("a closed mount", 0);
  if (symphony_pit_run(NULL) != SYMPHONY_E_INVALID_ARGUMENT) return failed("a pit without functions", 0);
  if ((status = symphony_bus_close(bus)) != SYMPHONY_OK) return failed("close", status);
  if ((status = symphony_broker_stop(broker)) != SYMPHONY_OK) return failed("stop", status);
  return 0;
}
