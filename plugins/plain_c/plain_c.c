/* plain_c.c: the ABI by hand. How many lines has each key sent, and how many bytes?
 *
 * What a plugin in another language has to do, in the order in which the host asks for it. The C++
 * SDK does all of this for its authors. */
#include <stdlib.h>
#include <string.h>
#include <weir/abi.h>

WEIR_MANIFEST(
    "weir.manifest/1\n"
    "abi 1.0\n"
    "sdk none\n"
    "protobuf 0\n"
    "plugin plain_c 1.0.0\n"
    "resolver count_lines\n"
    "state plain_c.Totals 1\n"
    "feature features plain_c.Totals\n");

/* The opaque types of the ABI are ours to define. */
struct weir_instance {
  const weir_host* host;
};
struct weir_state {
  uint64_t lines;
  uint64_t bytes;
};

/* Protobuf by hand ----------------------------------------------------------------------------- */

enum { field_lines = 1, field_bytes = 2, totals_size_max = 2 * (1 + 10) };

static uint8_t* put_field(uint8_t* to, unsigned field, uint64_t value) {
  if (value == 0) return to; /* proto3 leaves out what is zero */
  *to++ = (uint8_t)(field << 3);
  for (; value >= 0x80; value >>= 7) *to++ = (uint8_t)(value | 0x80);
  *to++ = (uint8_t)value;
  return to;
}

static size_t put_totals(uint8_t* to, const weir_state* totals) {
  uint8_t* end = put_field(to, field_lines, totals->lines);
  end = put_field(end, field_bytes, totals->bytes);
  return (size_t)(end - to);
}

/* 0: not a Totals. */
static int get_totals(weir_bytes from, weir_state* totals) {
  size_t at = 0;
  while (at < from.size) {
    const unsigned tag = from.data[at++];
    uint64_t value = 0;
    unsigned shift = 0;
    for (;;) {
      if (at == from.size || shift > 63) return 0;
      const uint64_t byte = from.data[at++];
      value |= (byte & 0x7f) << shift;
      shift += 7;
      if (byte < 0x80) break;
    }
    if (tag == field_lines << 3) {
      totals->lines = value;
    } else if (tag == field_bytes << 3) {
      totals->bytes = value;
    } else {
      return 0;
    }
  }
  return 1;
}

static weir_status refuse(const weir_host* host, weir_call* call, weir_status status,
                          const char* reason) {
  host->set_reason(call, reason, strlen(reason));
  return status;
}

/* The slots ------------------------------------------------------------------------------------ */

static weir_status create(const weir_host* host, weir_bytes settings, weir_instance** instance,
                          weir_call* call) {
  if (settings.size != 0) return refuse(host, call, WEIR_REJECT, "plain_c takes no settings");
  *instance = malloc(sizeof **instance);
  if (*instance == NULL) return refuse(host, call, WEIR_REJECT, "out of memory");
  (*instance)->host = host;
  return WEIR_OK;
}

static void destroy(weir_instance* instance) { free(instance); }

/* Records stay where they are until batch_free(), so that a message is its record. Without
 * WEIR_PREPARED_KEY the record's key is the key. */
static weir_status prepare(weir_instance* instance, const weir_records* records,
                           weir_prepared* prepared, size_t prepared_size, weir_batch** batch,
                           weir_call* call) {
  const char* record = (const char*)records->first;
  char* entry = (char*)prepared;
  (void)call;
  for (size_t i = 0; i < records->count; ++i) {
    const int is_null = ((const weir_record*)record)->value.data == NULL;
    ((weir_prepared*)entry)->verdict = is_null ? WEIR_SKIP : WEIR_OK;
    ((weir_prepared*)entry)->message = is_null ? NULL : (weir_message*)record;
    record += records->record_size;
    entry += prepared_size;
  }
  *batch = (weir_batch*)instance; /* nothing to keep, but a batch is never NULL */
  return WEIR_OK;
}

static void batch_free(weir_instance* instance, weir_batch* batch) {
  (void)instance;
  (void)batch;
}

static weir_status state_load(weir_instance* instance, weir_bytes bytes, uint32_t state_version,
                              weir_state** state, weir_call* call) {
  weir_state totals = {0, 0};
  (void)state_version;
  if (!get_totals(bytes, &totals)) {
    return refuse(instance->host, call, WEIR_FATAL, "not a State of type plain_c.Totals");
  }
  *state = malloc(sizeof **state);
  if (*state == NULL) return refuse(instance->host, call, WEIR_FATAL, "out of memory");
  **state = totals;
  return WEIR_OK;
}

static weir_status state_save(weir_instance* instance, const weir_state* state, weir_bytes* bytes,
                              weir_call* call) {
  uint8_t* to = instance->host->reserve(call, totals_size_max);
  if (to == NULL) return WEIR_REJECT;
  bytes->data = to;
  bytes->size = put_totals(to, state);
  return WEIR_OK;
}

static void state_free(weir_instance* instance, weir_state* state) {
  (void)instance;
  free(state);
}

static weir_status resolve(weir_instance* instance, const weir_message* message, weir_state* state,
                           weir_call* call) {
  const weir_record* record = (const weir_record*)message;
  const weir_bytes state_key = {NULL, 0};
  uint8_t feature[totals_size_max];
  state->lines += 1;
  state->bytes += record->value.size;
  const size_t size = put_totals(feature, state);
  uint8_t* to = instance->host->emit(call, 0, state_key, size);
  if (to == NULL) return WEIR_REJECT; /* the host adds the reason */
  memcpy(to, feature, size);
  return WEIR_OK;
}

/* The entry ------------------------------------------------------------------------------------ */

static const weir_resolver count_lines = {
    .struct_size = sizeof(weir_resolver),
    .name = "count_lines",
    .create = create,
    .destroy = destroy,
    .prepare = prepare,
    .batch_free = batch_free,
    .state_load = state_load,
    .state_save = state_save,
    .state_free = state_free,
    .resolve = resolve,
};
static const weir_resolver* const resolvers[] = {&count_lines};
static const weir_plugin_table table = {
    .struct_size = sizeof(weir_plugin_table),
    .abi_major = WEIR_ABI_MAJOR,
    .abi_minor = WEIR_ABI_MINOR,
    .resolver_count = 1,
    .resolvers = resolvers,
};

__attribute__((visibility("default"))) const weir_plugin_table* weir_plugin(const weir_host* host) {
  return host->abi_major == WEIR_ABI_MAJOR && host->abi_minor == WEIR_ABI_MINOR ? &table : NULL;
}
