/* The Weir plugin ABI: everything that crosses between the host process and a resolver plugin.
 *
 * C++ authors include <weir/sdk.h> instead and never see this file. It is for plugins in other
 * languages, for the host, and for whoever wants to know what really happens. It compiles alone as
 * C11, C++17 and C++20.
 *
 * CONVENTIONS
 *
 * 1. Version. The ABI is {WEIR_ABI_MAJOR, WEIR_ABI_MINOR}. The host loads plugins of its own major
 *    with any minor up to its own, and tells each plugin the plugin's minor as its own. What 1.0
 *    has stays as it is in every 1.x; structs only grow at their end. The first field of a struct
 *    that is passed by pointer is `struct_size`, the size its author compiled with; a reader asks
 *    WEIR_HAS() before it reads a field that was added after 1.0. Elements of arrays are walked by
 *    the stride that travels with them.
 * 2. Bytes are {data, size} and are not terminated. `data == NULL` means absent (a record without a
 *    key, a null value); absent and empty differ. The host always passes a non-NULL pointer for
 *    bytes that are present, even when their size is 0.
 * 3. Ownership. The host owns every buffer that crosses. What it passes in is valid until the slot
 *    returns, unless the slot says otherwise. What a plugin hands back lies in memory from
 *    weir_host.reserve(). Handles (weir_instance, weir_batch, weir_message, weir_state) are the
 *    plugin's; the host only stores them and gives them back to the slot that frees them.
 * 4. Threads. Each slot carries a tag. [control]: one thread at a time for the whole plugin.
 *    [task]: one thread at a time for one instance; the thread may change between two calls, and
 *    calls for different instances run at the same time. [any]: any thread, at any time.
 * 5. Nothing is thrown across this border: no slot and no host function lets an exception out.
 * 6. A plugin starts no threads that outlive destroy(), keeps no thread_local with a destructor,
 *    installs no signal handlers, and does not call atexit, setlocale, chdir, setenv or fork.
 * 7. A resolver is a function of its arguments: it reads no clock, no random numbers and no other
 *    outside state. The host calls it again for the same records and timers to rebuild a State
 *    (resolve(), notify()), and after a restart.
 *
 * LIFE CYCLE
 *
 *   weir_plugin()                                         once, after dlopen
 *     create()                                            once per (resolver in the app, task)
 *       prepare(records) .. resolve()* .. batch_free()    batches may overlap
 *       state_load() .. resolve()*, notify()*, state_save()* .. state_free()
 *     destroy()
 *   shutdown()                                            once, before dlclose
 */
#ifndef WEIR_ABI_H
#define WEIR_ABI_H

#include <stddef.h>
#include <stdint.h>

#define WEIR_ABI_MAJOR 1
#define WEIR_ABI_MINOR 0

#ifdef __cplusplus
#define WEIR_NOEXCEPT noexcept
extern "C" {
#else
#define WEIR_NOEXCEPT
#endif

/* True when the struct at `p` was compiled with `field`; `type` is the struct's type name. */
#define WEIR_HAS(p, type, field) \
  ((p)->struct_size >= offsetof(type, field) + sizeof(((const type*)0)->field))

/* The one symbol that a plugin exports. */
#define WEIR_ENTRY_SYMBOL "weir_plugin"

/* Sections that the host reads before it runs any code of the file; see MANIFEST below. */
#define WEIR_MANIFEST_SECTION ".weir.manifest"
#define WEIR_SCHEMAS_SECTION ".weir.schemas"

typedef struct weir_bytes {
  const uint8_t* data;
  size_t size;
} weir_bytes;

/* Plugin-owned, opaque to the host. */
typedef struct weir_instance weir_instance; /* one resolver, configured, for one task            */
typedef struct weir_batch weir_batch;       /* what prepare() made of a run of records           */
typedef struct weir_message weir_message;   /* one message of a batch; lives as long as the batch */
typedef struct weir_state weir_state;       /* the live State of one key                         */

typedef int32_t weir_status;
enum {
  WEIR_OK = 0,     /* Done. In resolve() and notify(): State, features and timer of this call take
                      effect.                                                                    */
  WEIR_SKIP = 1,   /* Not for this resolver: counted, leaves no trace, is no error.               */
  WEIR_REJECT = 2, /* This record (or timer) cannot be handled: it goes where the source's policy
                      says, with the reason; leaves no trace.                                    */
  WEIR_RETRY = 3,  /* Not now: the same record (or timer) comes again after
                      weir_host.retry_after(), before any later record of its key; leaves no
                      trace. Only from resolve(), notify().                                      */
  WEIR_FATAL = 4   /* This task must not go on: it commits what came before and halts.            */
};

typedef struct weir_header {
  weir_bytes name;
  weir_bytes value; /* absent: a null header value */
} weir_header;

/* One record, as the log holds it. */
typedef struct weir_record {
  weir_bytes key;   /* absent: the record has none */
  weir_bytes value; /* The record's bytes; for a resolver with a message type in its manifest, the
                       decoded message as Protobuf wire bytes. Absent: a null value (only resolvers
                       that take record bytes see one).                                          */
  const weir_header* headers;
  size_t header_count;
  weir_bytes topic;
  int64_t offset;
  int64_t timestamp_ms; /* since 1970-01-01 UTC */
  int32_t partition;
} weir_record;

/* A run of records in the order of the log; all of one topic and partition. */
typedef struct weir_records {
  uint32_t struct_size;
  uint32_t record_size; /* stride of `first` */
  const weir_record* first;
  size_t count;
} weir_records;

enum {
  WEIR_PREPARED_KEY = 1u << 0,       /* `key` is set; else the record's key is the key            */
  WEIR_PREPARED_EVENT_TIME = 1u << 1 /* `event_time_ms` is set; else the record's timestamp is it */
};

/* What prepare() says of one record. The host passes it zeroed. */
typedef struct weir_prepared {
  weir_status verdict; /* WEIR_OK, WEIR_SKIP, WEIR_REJECT or WEIR_FATAL                           */
  uint32_t flags;      /* WEIR_PREPARED_*                                                         */
  weir_message* message;
  weir_bytes key;    /* from reserve(); numbers as decimal text, so that people can type them     */
  weir_bytes reason; /* from reserve(); why, for WEIR_REJECT and WEIR_FATAL                       */
  int64_t event_time_ms;
} weir_prepared;

/* One call of a slot, seen from the plugin. Host-owned, valid until the slot returns. */
typedef struct weir_call {
  uint32_t struct_size;
  uint32_t reserved;
  const weir_record* record; /* resolve(): the record of the message; else NULL                   */
  weir_bytes key;          /* resolve(), notify(), state_load(), state_save(): the State's key   */
  int64_t event_time_ms;   /* resolve(): the event time; notify(): what the timer was set to    */
  int64_t arrival_time_ms; /* resolve(), notify(): the task's arrival clock; for a record that
                              comes again, as it was the first time                              */
} weir_call;

/* What a timer waits for. */
enum {
  /* The task's arrival clock: the host's clock, read once a batch, or the newest timestamp of the
   * source's records (`arrival: record`). It never goes back, not over a restart either. */
  WEIR_CLOCK_ARRIVAL = 0
};

enum { WEIR_LOG_DEBUG = 0, WEIR_LOG_INFO = 1, WEIR_LOG_WARN = 2, WEIR_LOG_ERROR = 3 };

/* clang-format 14 glues the macro to functions that return pointers. */
/* clang-format off */

/* What the host offers. Given to weir_plugin(); valid until shutdown() returns. Functions that take
 * a `weir_call` may be called only inside the slot that got it, on its thread. */
typedef struct weir_host {
  uint32_t struct_size;
  uint32_t abi_major;
  uint32_t abi_minor;
  uint32_t reserved;

  /* Memory of `size` bytes for what this call hands back. Aligned to 8. Valid until the slot
   * returns; from prepare(), until batch_free() of that batch. NULL when the host's limit for the
   * thing asked for would be passed: then return WEIR_REJECT, the host adds the reason. [task] */
  uint8_t* (*reserve)(weir_call* call, size_t size) WEIR_NOEXCEPT;

  /* The text that goes with a status other than WEIR_OK. Copied at once; the last one counts.
   * UTF-8; cut at 1,024 bytes. [task] */
  void (*set_reason)(weir_call* call, const char* text, size_t size) WEIR_NOEXCEPT;

  /* One feature for output number `output` of the manifest. Returns memory to which the caller
   * writes the `size` serialized bytes before the slot returns. `key` absent: the State's key.
   * The feature carries the call's event time. Features take effect in the order of these calls,
   * and only if the slot returns WEIR_OK. NULL above the host's limit: return WEIR_REJECT.
   * Only inside resolve() and notify(). [task] */
  uint8_t* (*emit)(weir_call* call, uint32_t output, weir_bytes key, size_t size) WEIR_NOEXCEPT;

  /* How long to wait before the record or timer comes again, in ms; goes with WEIR_RETRY. [task] */
  void (*retry_after)(weir_call* call, int64_t milliseconds) WEIR_NOEXCEPT;

  /* The key has no State and no timer any more once this call has returned WEIR_OK: the next record
   * of the key starts from the initial State. Only inside resolve() and notify(). [task] */
  void (*discard_state)(weir_call* call) WEIR_NOEXCEPT;

  /* A line in the host's log, with the plugin's name beside it. Repeats are limited. [any] */
  void (*log)(const struct weir_host* host, int32_t level, const char* text,
              size_t size) WEIR_NOEXCEPT;

  /* An optional area "weir.<name>/<rev>", or NULL. Valid until shutdown() returns. [any] */
  const void* (*get_extension)(const struct weir_host* host, const char* id) WEIR_NOEXCEPT;

  /* The key's timer: notify() is called when `clock` has reached `time_ms`. A key has one
   * timer; the last of these two calls counts, and only if the slot returns WEIR_OK. A time that the
   * clock has already reached fires at the next opportunity; set inside notify(), it counts as the
   * clock's next millisecond, so that a key's timers cannot keep records from flowing. Only inside
   * resolve() and notify() of a resolver with State, the slot notify and "timers" in its manifest:
   * elsewhere the call is rejected with the reason. [task] */
  void (*set_timer)(weir_call* call, int32_t clock, int64_t time_ms) WEIR_NOEXCEPT;

  /* The key has no timer any more; no error where it has none. [task] */
  void (*clear_timer)(weir_call* call, int32_t clock) WEIR_NOEXCEPT;
} weir_host;

/* One resolver: its slots. Constant for the life of the plugin. A slot may be NULL only where that
 * is said. */
typedef struct weir_resolver {
  uint32_t struct_size;
  uint32_t reserved;
  const char* name; /* as in the manifest */

  /* One configured instance. `settings`: the settings message of the manifest as Protobuf bytes
   * (empty: all defaults). A status other than WEIR_OK, with a reason, refuses them. [control] */
  weir_status (*create)(const weir_host* host, weir_bytes settings, weir_instance** instance,
                        weir_call* call) WEIR_NOEXCEPT;

  /* Every batch and State of the instance has been freed before. [control] */
  void (*destroy)(weir_instance* instance) WEIR_NOEXCEPT;

  /* Parses `records`, decides which are for this resolver, and extracts keys and event times. Fills
   * prepared[0 .. records->count), walked by `prepared_size`. Touches no State: it may be called
   * again for the same records, and for records whose resolve() is never called.
   * `batch` owns the messages; the records stay valid until batch_free(). A status other than
   * WEIR_OK refuses the whole run and leaves `*batch` NULL. [task] */
  weir_status (*prepare)(weir_instance* instance, const weir_records* records,
                         weir_prepared* prepared, size_t prepared_size, weir_batch** batch,
                         weir_call* call) WEIR_NOEXCEPT;

  /* [task] */
  void (*batch_free)(weir_instance* instance, weir_batch* batch) WEIR_NOEXCEPT;

  /* The live State of call->key. `bytes` absent: a key that has no State, make the initial one.
   * `state_version`: the manifest's state version of the code that wrote the bytes; the plugin's own
   * for those of later code that says this one can read them ("readable-by"). A status other
   * than WEIR_OK means that the bytes are not a State: the task halts. NULL: stateless. [task] */
  weir_status (*state_load)(weir_instance* instance, weir_bytes bytes, uint32_t state_version,
                            weir_state** state, weir_call* call) WEIR_NOEXCEPT;

  /* The State as Protobuf bytes, in memory from reserve(). The same State gives the same bytes
   * (maps in a fixed order). Does not change the State. NULL: stateless. [task] */
  weir_status (*state_save)(weir_instance* instance, const weir_state* state, weir_bytes* bytes,
                            weir_call* call) WEIR_NOEXCEPT;

  /* NULL: stateless. [task] */
  void (*state_free)(weir_instance* instance, weir_state* state) WEIR_NOEXCEPT;

  /* Handles one message: changes `state` in place, emits features. Called once per message in the
   * order of the log, so never twice at once for one key. After a status other than WEIR_OK the
   * host throws `state` away, loads the committed bytes again and repeats the key's earlier calls
   * since the last commit with their features dropped: a failed call leaves no trace, provided that
   * equal arguments give equal results. `state` is NULL for a stateless resolver. [task] */
  weir_status (*resolve)(weir_instance* instance, const weir_message* message, weir_state* state,
                         weir_call* call) WEIR_NOEXCEPT;

  /* An optional area of this resolver, or NULL. The slot itself may be NULL. [control] */
  const void* (*get_extension)(const char* id) WEIR_NOEXCEPT;

  /* The timer of call->key has come due and is no longer set; call->event_time_ms is what
   * it was set to, and there is no record. Otherwise like resolve(): changes `state` in place, emits
   * features, may set the timer again, is one call of the key among the others, and is repeated with
   * them. After WEIR_SKIP and WEIR_REJECT the timer is gone and nothing else has changed; after
   * WEIR_RETRY it is set to the clock's time plus retry_after(); after WEIR_FATAL it stays. NULL
   * exactly where the manifest has no "timers". [task] */
  weir_status (*notify)(weir_instance* instance, int32_t clock, weir_state* state,
                        weir_call* call) WEIR_NOEXCEPT;
} weir_resolver;

/* What weir_plugin() returns. Constant until shutdown() has returned. */
typedef struct weir_plugin_table {
  uint32_t struct_size;
  uint32_t abi_major;
  uint32_t abi_minor;
  uint32_t resolver_count;
  const weir_resolver* const* resolvers; /* in the order of the manifest */

  /* The last call before the file is unmapped. May be NULL. [control] */
  void (*shutdown)(void) WEIR_NOEXCEPT;

  /* An optional area of the plugin, or NULL. The slot itself may be NULL. [control] */
  const void* (*get_extension)(const char* id) WEIR_NOEXCEPT;
} weir_plugin_table;

/* clang-format on */

/* The entry function, exported as WEIR_ENTRY_SYMBOL. Runs no user code beyond what the table needs.
 * NULL refuses this host. [control] */
typedef const weir_plugin_table* (*weir_plugin_entry)(const weir_host* host);

/* MANIFEST
 *
 * Constant text in the section WEIR_MANIFEST_SECTION, readable without running code. One statement
 * a line, words parted by single spaces, ended by a NUL:
 *
 *   manifest  = "weir.manifest/1" NL abi sdk protobuf plugin resolver+ NUL
 *   abi       = "abi" SP major "." minor NL
 *   sdk       = "sdk" SP version NL
 *   protobuf  = "protobuf" SP number NL            ; GOOGLE_PROTOBUF_VERSION, 0 without Protobuf
 *   plugin    = "plugin" SP name SP version NL
 *   resolver  = "resolver" SP name NL [message] [state] [settings] [timers] feature*
 *   message   = "message" SP type NL               ; absent: takes the record's bytes
 *   state     = "state" SP type SP state-version [SP readable-by] NL ; absent: stateless
 *   settings  = "settings" SP type NL              ; absent: takes none
 *   timers    = "timers" SP clock NL               ; only after "state": has notify()
 *   clock     = "arrival"
 *   feature   = "feature" SP name SP type NL       ; their order gives emit()'s output numbers
 *
 *   name      = [a-z][a-z0-9_]*, at most 63 characters, unique among its siblings
 *   version   = printable ASCII without spaces, at most 63 characters
 *   type      = a message of the schemas section: its full Protobuf name, or the name of its
 *               generated C++ class with "." for "::" ("pkg.Outer_Inner" for pkg.Outer.Inner)
 *   state-version = decimal, 1 .. 65535
 *   readable-by   = state-version          ; the oldest one whose code reads these
 *                                          ; States; absent: only code of state-version or later
 *
 * WEIR_SCHEMAS_SECTION holds one serialized FileDescriptorSet with every type named above and
 * everything they import. weir_add_plugin() writes it from the .proto files.
 *
 * In C: WEIR_MANIFEST("weir.manifest/1\nabi 1.0\n...");
 */
#define WEIR_RETAIN
#ifdef __has_attribute
#if __has_attribute(retain)
#undef WEIR_RETAIN
#define WEIR_RETAIN , retain /* the linker's --gc-sections keeps it */
#endif
#endif
#define WEIR_SECTION(name) __attribute__((section(name), used, aligned(8) WEIR_RETAIN))
#define WEIR_MANIFEST(text) \
  WEIR_SECTION(WEIR_MANIFEST_SECTION) static const char weir_manifest_text[] = text

#ifdef __cplusplus
}
#endif

#endif /* WEIR_ABI_H */
