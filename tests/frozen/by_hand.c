/* Every member of the ABI, by hand: what a record's value says is done with the State of its key.
 *
 *   add | log             adds the setting `step`; emits the count
 *   note KEY              the same, and a note to KEY of where the record lay
 *   nothing | unreadable  is left out, or refused, before any State is touched
 *   ignore | refuse | halt
 *   wait                  asks to come again in 50 ms, each time
 *   forget                ends the State
 *   timer | stop          sets a timer 100 ms after its arrival, or clears it
 *
 * The headers `key` and `time` take the place of the record's own. by_sdk.cpp does the same. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/abi.h>

WEIR_MANIFEST(
    "weir.manifest/1\n"
    "abi 1.0\n"
    "sdk none\n"
    "protobuf 0\n"
    "plugin frozen 1.0.0\n"
    "resolver count\n"
    "state frozen.Count 2 1\n"
    "settings frozen.Settings\n"
    "timers arrival\n"
    "feature counts frozen.Count\n"
    "feature notes frozen.Note\n"
    "resolver pass\n"
    "message frozen.Line\n"
    "feature lines frozen.Line\n");

struct weir_instance {
  const weir_host* host;
  uint64_t step;
};
struct weir_state {
  uint64_t count;
};
struct weir_message {
  weir_bytes value;
};
struct weir_batch {
  weir_message* messages;
};

enum { number_size_max = 11 };

/* Field 1 as a varint; nothing for zero. */
static size_t put_number(uint8_t* to, uint64_t value) {
  uint8_t* end = to;
  if (value == 0) return 0;
  *end++ = 0x08;
  for (; value >= 0x80; value >>= 7) *end++ = (uint8_t)(value | 0x80);
  *end++ = (uint8_t)value;
  return (size_t)(end - to);
}

/* 0: anything else than what put_number() writes. */
static int get_number(weir_bytes from, uint64_t* value) {
  *value = 0;
  if (from.size == 0) return 1;
  if (from.size < 2 || from.size > number_size_max || from.data[0] != 0x08) return 0;
  for (size_t i = 1; i < from.size; ++i) {
    *value |= (uint64_t)(from.data[i] & 0x7f) << (7 * (i - 1));
    if (from.data[i] < 0x80) return i + 1 == from.size;
  }
  return 0;
}

static int equals(weir_bytes bytes, const char* text) {
  return bytes.size == strlen(text) && memcmp(bytes.data, text, bytes.size) == 0;
}

static const weir_header* header(const weir_record* record, const char* name) {
  for (size_t i = record->header_count; i-- > 0;) {
    const weir_header* found = &record->headers[i];
    if (equals(found->name, name) && found->value.data != NULL) return found;
  }
  return NULL;
}

static weir_status say(const weir_instance* instance, weir_call* call, weir_status status,
                       const char* reason) {
  instance->host->set_reason(call, reason, strlen(reason));
  return status;
}

static weir_status emit(const weir_instance* instance, weir_call* call, uint32_t output,
                        weir_bytes key, const void* bytes, size_t size) {
  uint8_t* to = instance->host->emit(call, output, key, size);
  if (to == NULL) return WEIR_REJECT;
  memcpy(to, bytes, size);
  return WEIR_OK;
}

/* The slots of both resolvers --------------------------------------------------------------------
 */

static weir_status make(const weir_host* host, uint64_t step, weir_instance** instance) {
  *instance = malloc(sizeof **instance);
  if (*instance == NULL) return WEIR_REJECT;
  (*instance)->host = host;
  (*instance)->step = step;
  return WEIR_OK;
}

static weir_status create_count(const weir_host* host, weir_bytes settings,
                                weir_instance** instance, weir_call* call) {
  const weir_instance none = {host, 0};
  uint64_t step = 0;
  if (host->get_extension(host, "weir.none/1") != NULL) {
    return say(&none, call, WEIR_REJECT, "there is no such extension");
  }
  if (!get_number(settings, &step) || step == 0) {
    return say(&none, call, WEIR_REJECT, "step: expected 1 or more");
  }
  return make(host, step, instance);
}

static weir_status create_pass(const weir_host* host, weir_bytes settings, weir_instance** instance,
                               weir_call* call) {
  (void)settings;
  (void)call;
  return make(host, 0, instance);
}

static void destroy(weir_instance* instance) { free(instance); }

static weir_bytes copy(const weir_instance* instance, weir_call* call, const void* data,
                       size_t size) {
  weir_bytes made = {instance->host->reserve(call, size), size};
  if (made.data != NULL) memcpy((uint8_t*)made.data, data, size);
  return made;
}

/* Which records are for `count`, and under which key and time. */
static weir_status look_at(const weir_instance* instance, const weir_record* record,
                           weir_prepared* prepared, weir_call* call) {
  static const char reason[] = "cannot be read";
  const weir_header* const key = header(record, "key");
  const weir_header* const time = header(record, "time");
  if (record->value.data == NULL || equals(record->value, "nothing")) return WEIR_SKIP;
  if (equals(record->value, "unreadable")) {
    prepared->reason = copy(instance, call, reason, strlen(reason));
    return WEIR_REJECT;
  }
  if (key != NULL) {
    prepared->flags |= WEIR_PREPARED_KEY;
    prepared->key = copy(instance, call, key->value.data, key->value.size);
    if (prepared->key.data == NULL) return WEIR_REJECT;
  }
  if (time != NULL) {
    prepared->flags |= WEIR_PREPARED_EVENT_TIME;
    for (size_t i = 0; i < time->value.size; ++i) {
      prepared->event_time_ms = 10 * prepared->event_time_ms + (time->value.data[i] - '0');
    }
  }
  return WEIR_OK;
}

static weir_status prepare(weir_instance* instance, const weir_records* records,
                           weir_prepared* prepared, size_t prepared_size, weir_batch** batch,
                           weir_call* call, int is_count) {
  const char* from = (const char*)records->first;
  char* to = (char*)prepared;
  weir_batch* const made = malloc(sizeof *made);
  if (made == NULL) return say(instance, call, WEIR_FATAL, "out of memory");
  made->messages = calloc(records->count + 1, sizeof *made->messages);
  if (made->messages == NULL) {
    free(made);
    return say(instance, call, WEIR_FATAL, "out of memory");
  }
  for (size_t i = 0; i < records->count; ++i) {
    const weir_record* const record = (const weir_record*)from;
    weir_prepared* const one = (weir_prepared*)to;
    one->verdict = is_count ? look_at(instance, record, one, call) : WEIR_OK;
    made->messages[i].value = record->value;
    if (one->verdict == WEIR_OK) one->message = &made->messages[i];
    from += records->record_size;
    to += prepared_size;
  }
  *batch = made;
  return WEIR_OK;
}

static weir_status prepare_count(weir_instance* instance, const weir_records* records,
                                 weir_prepared* prepared, size_t prepared_size, weir_batch** batch,
                                 weir_call* call) {
  return prepare(instance, records, prepared, prepared_size, batch, call, 1);
}

static weir_status prepare_pass(weir_instance* instance, const weir_records* records,
                                weir_prepared* prepared, size_t prepared_size, weir_batch** batch,
                                weir_call* call) {
  return prepare(instance, records, prepared, prepared_size, batch, call, 0);
}

static void batch_free(weir_instance* instance, weir_batch* batch) {
  (void)instance;
  free(batch->messages);
  free(batch);
}

/* The State -------------------------------------------------------------------------------------
 */

static weir_status state_load(weir_instance* instance, weir_bytes bytes, uint32_t state_version,
                              weir_state** state, weir_call* call) {
  uint64_t count = 0;
  (void)state_version;
  if (!get_number(bytes, &count)) return say(instance, call, WEIR_FATAL, "not a frozen.Count");
  *state = malloc(sizeof **state);
  if (*state == NULL) return say(instance, call, WEIR_FATAL, "out of memory");
  (*state)->count = count;
  return WEIR_OK;
}

static weir_status state_save(weir_instance* instance, const weir_state* state, weir_bytes* bytes,
                              weir_call* call) {
  uint8_t* const to = instance->host->reserve(call, number_size_max);
  if (to == NULL) return WEIR_REJECT;
  bytes->data = to;
  bytes->size = put_number(to, state->count);
  return WEIR_OK;
}

static void state_free(weir_instance* instance, weir_state* state) {
  (void)instance;
  free(state);
}

/* The calls -------------------------------------------------------------------------------------
 */

static weir_status emit_count(const weir_instance* instance, const weir_state* state,
                              weir_call* call) {
  const weir_bytes own_key = {NULL, 0};
  uint8_t bytes[number_size_max];
  const size_t size = put_number(bytes, state->count);
  return emit(instance, call, 0, own_key, bytes, size);
}

static weir_status emit_note(const weir_instance* instance, weir_bytes key, weir_call* call) {
  char text[128];
  uint8_t bytes[2 + sizeof text];
  const int size =
      snprintf(text, sizeof text, "%.*s@%.*s/%" PRId32 "/%" PRId64 "/%" PRId64 "/%" PRId64,
               (int)call->key.size, (const char*)call->key.data, (int)call->record->topic.size,
               (const char*)call->record->topic.data, call->record->partition, call->record->offset,
               call->event_time_ms, call->record->timestamp_ms);
  if (size < 0 || (size_t)size >= sizeof text) return WEIR_REJECT;
  bytes[0] = 0x0a;
  bytes[1] = (uint8_t)size; /* one byte: a text is below 128 */
  memcpy(bytes + 2, text, (size_t)size);
  return emit(instance, call, 1, key, bytes, 2 + (size_t)size);
}

static weir_status resolve_count(weir_instance* instance, const weir_message* message,
                                 weir_state* state, weir_call* call) {
  const weir_host* const host = instance->host;
  const weir_bytes word = message->value;
  state->count += instance->step;
  if (equals(word, "ignore")) return WEIR_SKIP;
  if (equals(word, "refuse")) return say(instance, call, WEIR_REJECT, "not now and not ever");
  if (equals(word, "halt")) return say(instance, call, WEIR_FATAL, "the end");
  if (equals(word, "wait")) {
    host->retry_after(call, 50);
    return say(instance, call, WEIR_RETRY, "not yet");
  }
  if (equals(word, "forget")) host->discard_state(call);
  if (equals(word, "timer")) {
    host->set_timer(call, WEIR_CLOCK_ARRIVAL, call->arrival_time_ms + 100);
  }
  if (equals(word, "stop")) host->clear_timer(call, WEIR_CLOCK_ARRIVAL);
  if (equals(word, "log")) host->log(host, WEIR_LOG_INFO, "a line", 6);
  if (word.size > 5 && memcmp(word.data, "note ", 5) == 0) {
    const weir_bytes key = {word.data + 5, word.size - 5};
    const weir_status done = emit_note(instance, key, call);
    if (done != WEIR_OK) return done;
  }
  return emit_count(instance, state, call);
}

static weir_status notify(weir_instance* instance, int32_t clock, weir_state* state,
                          weir_call* call) {
  if (clock != WEIR_CLOCK_ARRIVAL || call->record != NULL) return WEIR_FATAL;
  state->count += 1000;
  return emit_count(instance, state, call);
}

static weir_status resolve_pass(weir_instance* instance, const weir_message* message,
                                weir_state* state, weir_call* call) {
  const weir_bytes own_key = {NULL, 0};
  if (state != NULL) return WEIR_FATAL;
  return emit(instance, call, 0, own_key, message->value.data, message->value.size);
}

/* The entry -------------------------------------------------------------------------------------
 */

static const void* no_extension(const char* id) {
  (void)id;
  return NULL;
}

static void shut_down(void) {}

static const weir_resolver count = {
    .struct_size = sizeof(weir_resolver),
    .name = "count",
    .create = create_count,
    .destroy = destroy,
    .prepare = prepare_count,
    .batch_free = batch_free,
    .state_load = state_load,
    .state_save = state_save,
    .state_free = state_free,
    .resolve = resolve_count,
    .get_extension = no_extension,
    .notify = notify,
};
static const weir_resolver pass = {
    .struct_size = sizeof(weir_resolver),
    .name = "pass",
    .create = create_pass,
    .destroy = destroy,
    .prepare = prepare_pass,
    .batch_free = batch_free,
    .resolve = resolve_pass,
    .get_extension = no_extension,
};
static const weir_resolver* const resolvers[] = {&count, &pass};
static const weir_plugin_table table = {
    .struct_size = sizeof(weir_plugin_table),
    .abi_major = 1,
    .abi_minor = 0,
    .resolver_count = 2,
    .resolvers = resolvers,
    .shutdown = shut_down,
    .get_extension = no_extension,
};

__attribute__((visibility("default"))) const weir_plugin_table* weir_plugin(const weir_host* host) {
  const int has_all = WEIR_HAS(host, weir_host, clear_timer);
  return has_all && host->abi_major == 1 && host->abi_minor == 0 ? &table : NULL;
}
