/* A good plugin in C11 with one resolver that counts records per key. Each file of the zoo takes it
 * and does one thing wrong; good.c does nothing wrong. */
#ifndef WEIR_ZOO_H
#define WEIR_ZOO_H

#include <stdlib.h>
#include <string.h>

#include <weir/abi.h>

#define ZOO_STRING2(x) #x
#define ZOO_STRING(x) ZOO_STRING2(x)
#define ZOO_ABI ZOO_STRING(WEIR_ABI_MAJOR) "." ZOO_STRING(WEIR_ABI_MINOR)

#define ZOO_HEADER(abi, protobuf) \
  "weir.manifest/1\nabi " abi "\nsdk zoo\nprotobuf " protobuf "\nplugin zoo 1.0\n"
#define ZOO_RESOLVER(state) "resolver count\nstate " state " 1\nfeature counts zoo.Count\n"
#define ZOO_VERSIONED_RESOLVER(versions) \
  "resolver count\nstate zoo.Count " versions "\nfeature counts zoo.Count\n"
#define ZOO_TIMED_RESOLVER \
  "resolver count\nstate zoo.Count 1\ntimers arrival\nfeature counts zoo.Count\n"
#define ZOO_MANIFEST_TEXT ZOO_HEADER(ZOO_ABI, "0") ZOO_RESOLVER("zoo.Count")

/* ZOO_FILE_SET names the serialized descriptors of zoo.proto. */
#define ZOO_SCHEMAS                                                                    \
  __asm__(".section " WEIR_SCHEMAS_SECTION ",\"a\",@progbits\n.incbin \"" ZOO_FILE_SET \
          "\"\n.previous\n");

#define ZOO_UNUSED __attribute__((unused))

/* Address 0, where neither the compiler nor a sanitizer sees it coming. */
ZOO_UNUSED static void* volatile zoo_null = NULL;

struct weir_instance {
  const weir_host* host;
};
struct weir_state {
  uint64_t records;
};

/* Field 1 as a varint; nothing for zero. */
ZOO_UNUSED static size_t zoo_encode(uint64_t records, uint8_t out[11]) {
  size_t size = 0;
  if (records == 0) return 0;
  out[size++] = 0x08;
  for (; records >= 0x80; records >>= 7) out[size++] = (uint8_t)(records | 0x80);
  out[size++] = (uint8_t)records;
  return size;
}

/* 1 and *records, or 0 for anything but what zoo_encode() writes. */
ZOO_UNUSED static int zoo_decode(weir_bytes bytes, uint64_t* records) {
  *records = 0;
  if (bytes.size == 0) return 1;
  if (bytes.size < 2 || bytes.size > 11 || bytes.data[0] != 0x08) return 0;
  for (size_t i = 1; i < bytes.size; ++i) {
    *records |= (uint64_t)(bytes.data[i] & 0x7f) << (7 * (i - 1));
    if ((bytes.data[i] & 0x80) == 0) return i + 1 == bytes.size && *records != 0;
  }
  return 0;
}

ZOO_UNUSED static weir_status zoo_create(const weir_host* host, weir_bytes settings,
                                         weir_instance** instance, weir_call* call) {
  if (settings.size != 0) {
    static const char reason[] = "it takes no settings";
    host->set_reason(call, reason, sizeof reason - 1);
    return WEIR_REJECT;
  }
  *instance = calloc(1, sizeof **instance);
  (*instance)->host = host;
  return WEIR_OK;
}

ZOO_UNUSED static void zoo_destroy(weir_instance* instance) { free(instance); }

ZOO_UNUSED static const weir_record* zoo_record(const weir_records* records, size_t index) {
  return (const weir_record*)((const char*)records->first + index * records->record_size);
}
ZOO_UNUSED static weir_prepared* zoo_prepared(weir_prepared* first, size_t stride, size_t index) {
  return (weir_prepared*)((char*)first + index * stride);
}

ZOO_UNUSED static weir_status zoo_prepare(weir_instance* instance, const weir_records* records,
                                          weir_prepared* prepared, size_t prepared_size,
                                          weir_batch** batch, weir_call* call) {
  (void)instance;
  (void)call;
  *batch = (weir_batch*)instance; /* it keeps nothing; what is not NULL is given to batch_free() */
  for (size_t i = 0; i < records->count; ++i) {
    weir_prepared* one = zoo_prepared(prepared, prepared_size, i);
    one->verdict = zoo_record(records, i)->value.data == NULL ? WEIR_SKIP : WEIR_OK;
  }
  return WEIR_OK;
}

ZOO_UNUSED static void zoo_batch_free(weir_instance* instance, weir_batch* batch) {
  (void)instance;
  (void)batch;
}

ZOO_UNUSED static weir_status zoo_state_load(weir_instance* instance, weir_bytes bytes,
                                             uint32_t state_version, weir_state** state,
                                             weir_call* call) {
  (void)state_version;
  uint64_t records = 0;
  if (!zoo_decode(bytes, &records)) {
    static const char reason[] = "these bytes are no zoo.Count";
    instance->host->set_reason(call, reason, sizeof reason - 1);
    return WEIR_REJECT;
  }
  *state = calloc(1, sizeof **state);
  (*state)->records = records;
  return WEIR_OK;
}

ZOO_UNUSED static weir_status zoo_state_save(weir_instance* instance, const weir_state* state,
                                             weir_bytes* bytes, weir_call* call) {
  uint8_t encoded[11];
  bytes->size = zoo_encode(state->records, encoded);
  uint8_t* out = instance->host->reserve(call, bytes->size);
  if (out == NULL) return WEIR_REJECT;
  memcpy(out, encoded, bytes->size);
  bytes->data = out;
  return WEIR_OK;
}

ZOO_UNUSED static void zoo_state_free(weir_instance* instance, weir_state* state) {
  (void)instance;
  free(state);
}

ZOO_UNUSED static weir_status zoo_emit(weir_instance* instance, weir_call* call, uint64_t records) {
  uint8_t encoded[11];
  const weir_bytes absent = {NULL, 0};
  const size_t size = zoo_encode(records, encoded);
  uint8_t* out = instance->host->emit(call, 0, absent, size);
  if (out == NULL) return WEIR_REJECT;
  memcpy(out, encoded, size);
  return WEIR_OK;
}

ZOO_UNUSED static weir_status zoo_resolve(weir_instance* instance, const weir_message* message,
                                          weir_state* state, weir_call* call) {
  (void)message;
  return zoo_emit(instance, call, ++state->records);
}

/* The same, and a timer a second later, for ZOO_TIMED_RESOLVER. */
ZOO_UNUSED static weir_status zoo_resolve_timed(weir_instance* instance,
                                                const weir_message* message, weir_state* state,
                                                weir_call* call) {
  instance->host->set_timer(call, WEIR_CLOCK_ARRIVAL, call->arrival_time_ms + 1000);
  return zoo_resolve(instance, message, state, call);
}

#define ZOO_GOOD_RESOLVER                                                                   \
  .struct_size = sizeof(weir_resolver), .name = "count", .create = zoo_create,              \
  .destroy = zoo_destroy, .prepare = zoo_prepare, .batch_free = zoo_batch_free,             \
  .state_load = zoo_state_load, .state_save = zoo_state_save, .state_free = zoo_state_free, \
  .resolve = zoo_resolve
#define ZOO_GOOD_TABLE                                                   \
  .struct_size = sizeof(weir_plugin_table), .abi_major = WEIR_ABI_MAJOR, \
  .abi_minor = WEIR_ABI_MINOR, .resolver_count = 1, .resolvers = zoo_resolvers

/* The resolver, with what a file of the zoo sets otherwise: ZOO_TABLE(.resolve = my_resolve) */
#define ZOO_TABLE(...)                                                          \
  static const weir_resolver zoo_resolver = {ZOO_GOOD_RESOLVER, ##__VA_ARGS__}; \
  static const weir_resolver* const zoo_resolvers[] = {&zoo_resolver};          \
  static const weir_plugin_table zoo_table = {ZOO_GOOD_TABLE};

#define ZOO_ENTRY(body)                                                        \
  __attribute__((visibility("default"))) const weir_plugin_table* weir_plugin( \
      const weir_host* host);                                                  \
  const weir_plugin_table* weir_plugin(const weir_host* host) {                \
    (void)host;                                                                \
    body                                                                       \
  }

/* All of it, for files that change slots only. */
#define ZOO_PLUGIN(...)             \
  WEIR_MANIFEST(ZOO_MANIFEST_TEXT); \
  ZOO_SCHEMAS                       \
  ZOO_TABLE(__VA_ARGS__)            \
  ZOO_ENTRY(return &zoo_table;)

#endif
