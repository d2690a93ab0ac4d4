// ABI 1.0, frozen: where every member of every struct that crosses the border lies, what type it
// is, and how large the struct is. A plugin that was built yesterday must run in the host of
// tomorrow. What breaks here breaks such plugins: a member may only be added at the end of a struct
// that carries its size, together with a new WEIR_ABI_MINOR and a line below.
#include <doctest/doctest.h>

#include <weir/abi.h>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace {

#define FROZEN(type, member, offset, ...)                                            \
  static_assert(offsetof(type, member) == (offset), #type "." #member " has moved"); \
  static_assert(std::is_same_v<decltype(type::member), __VA_ARGS__>,                 \
                #type "." #member " has another type")
#define FROZEN_SIZE(type, bytes, alignment)                                                \
  static_assert(sizeof(type) == (bytes) && alignof(type) == (alignment) &&                 \
                    std::is_standard_layout_v<type> && std::is_trivially_copyable_v<type>, \
                #type " has another size")
#define FROZEN_VALUE(name, value) static_assert((name) == (value), #name " has another value")

static_assert(sizeof(void*) == 8 && sizeof(std::size_t) == 8, "the only layout there is so far");

FROZEN(weir_bytes, data, 0, const std::uint8_t*);
FROZEN(weir_bytes, size, 8, std::size_t);
FROZEN_SIZE(weir_bytes, 16, 8);

static_assert(std::is_same_v<weir_status, std::int32_t>);
FROZEN_VALUE(WEIR_OK, 0);
FROZEN_VALUE(WEIR_SKIP, 1);
FROZEN_VALUE(WEIR_REJECT, 2);
FROZEN_VALUE(WEIR_RETRY, 3);
FROZEN_VALUE(WEIR_FATAL, 4);

FROZEN(weir_header, name, 0, weir_bytes);
FROZEN(weir_header, value, 16, weir_bytes);
FROZEN_SIZE(weir_header, 32, 8);

FROZEN(weir_record, key, 0, weir_bytes);
FROZEN(weir_record, value, 16, weir_bytes);
FROZEN(weir_record, headers, 32, const weir_header*);
FROZEN(weir_record, header_count, 40, std::size_t);
FROZEN(weir_record, topic, 48, weir_bytes);
FROZEN(weir_record, offset, 64, std::int64_t);
FROZEN(weir_record, timestamp_ms, 72, std::int64_t);
FROZEN(weir_record, partition, 80, std::int32_t);
FROZEN_SIZE(weir_record, 88, 8);

FROZEN(weir_records, struct_size, 0, std::uint32_t);
FROZEN(weir_records, record_size, 4, std::uint32_t);
FROZEN(weir_records, first, 8, const weir_record*);
FROZEN(weir_records, count, 16, std::size_t);
FROZEN_SIZE(weir_records, 24, 8);

FROZEN_VALUE(WEIR_PREPARED_KEY, 1u);
FROZEN_VALUE(WEIR_PREPARED_EVENT_TIME, 2u);
FROZEN(weir_prepared, verdict, 0, weir_status);
FROZEN(weir_prepared, flags, 4, std::uint32_t);
FROZEN(weir_prepared, message, 8, weir_message*);
FROZEN(weir_prepared, key, 16, weir_bytes);
FROZEN(weir_prepared, reason, 32, weir_bytes);
FROZEN(weir_prepared, event_time_ms, 48, std::int64_t);
FROZEN_SIZE(weir_prepared, 56, 8);

FROZEN(weir_call, struct_size, 0, std::uint32_t);
FROZEN(weir_call, reserved, 4, std::uint32_t);
FROZEN(weir_call, record, 8, const weir_record*);
FROZEN(weir_call, key, 16, weir_bytes);
FROZEN(weir_call, event_time_ms, 32, std::int64_t);
FROZEN(weir_call, arrival_time_ms, 40, std::int64_t);
FROZEN_SIZE(weir_call, 48, 8);

FROZEN_VALUE(WEIR_CLOCK_ARRIVAL, 0);
FROZEN_VALUE(WEIR_LOG_DEBUG, 0);
FROZEN_VALUE(WEIR_LOG_INFO, 1);
FROZEN_VALUE(WEIR_LOG_WARN, 2);
FROZEN_VALUE(WEIR_LOG_ERROR, 3);

FROZEN(weir_host, struct_size, 0, std::uint32_t);
FROZEN(weir_host, abi_major, 4, std::uint32_t);
FROZEN(weir_host, abi_minor, 8, std::uint32_t);
FROZEN(weir_host, reserved, 12, std::uint32_t);
FROZEN(weir_host, reserve, 16, std::uint8_t* (*)(weir_call*, std::size_t) noexcept);
FROZEN(weir_host, set_reason, 24, void (*)(weir_call*, const char*, std::size_t) noexcept);
FROZEN(weir_host, emit, 32,
       std::uint8_t* (*)(weir_call*, std::uint32_t, weir_bytes, std::size_t) noexcept);
FROZEN(weir_host, retry_after, 40, void (*)(weir_call*, std::int64_t) noexcept);
FROZEN(weir_host, discard_state, 48, void (*)(weir_call*) noexcept);
FROZEN(weir_host, log, 56,
       void (*)(const weir_host*, std::int32_t, const char*, std::size_t) noexcept);
FROZEN(weir_host, get_extension, 64, const void* (*)(const weir_host*, const char*) noexcept);
FROZEN(weir_host, set_timer, 72, void (*)(weir_call*, std::int32_t, std::int64_t) noexcept);
FROZEN(weir_host, clear_timer, 80, void (*)(weir_call*, std::int32_t) noexcept);
FROZEN_SIZE(weir_host, 88, 8);

FROZEN(weir_resolver, struct_size, 0, std::uint32_t);
FROZEN(weir_resolver, reserved, 4, std::uint32_t);
FROZEN(weir_resolver, name, 8, const char*);
FROZEN(weir_resolver, create, 16,
       weir_status (*)(const weir_host*, weir_bytes, weir_instance**, weir_call*) noexcept);
FROZEN(weir_resolver, destroy, 24, void (*)(weir_instance*) noexcept);
FROZEN(weir_resolver, prepare, 32,
       weir_status (*)(weir_instance*, const weir_records*, weir_prepared*, std::size_t,
                       weir_batch**, weir_call*) noexcept);
FROZEN(weir_resolver, batch_free, 40, void (*)(weir_instance*, weir_batch*) noexcept);
FROZEN(weir_resolver, state_load, 48,
       weir_status (*)(weir_instance*, weir_bytes, std::uint32_t, weir_state**,
                       weir_call*) noexcept);
FROZEN(weir_resolver, state_save, 56,
       weir_status (*)(weir_instance*, const weir_state*, weir_bytes*, weir_call*) noexcept);
FROZEN(weir_resolver, state_free, 64, void (*)(weir_instance*, weir_state*) noexcept);
FROZEN(weir_resolver, resolve, 72,
       weir_status (*)(weir_instance*, const weir_message*, weir_state*, weir_call*) noexcept);
FROZEN(weir_resolver, get_extension, 80, const void* (*)(const char*) noexcept);
FROZEN(weir_resolver, notify, 88,
       weir_status (*)(weir_instance*, std::int32_t, weir_state*, weir_call*) noexcept);
FROZEN_SIZE(weir_resolver, 96, 8);

FROZEN(weir_plugin_table, struct_size, 0, std::uint32_t);
FROZEN(weir_plugin_table, abi_major, 4, std::uint32_t);
FROZEN(weir_plugin_table, abi_minor, 8, std::uint32_t);
FROZEN(weir_plugin_table, resolver_count, 12, std::uint32_t);
FROZEN(weir_plugin_table, resolvers, 16, const weir_resolver* const*);
FROZEN(weir_plugin_table, shutdown, 24, void (*)() noexcept);
FROZEN(weir_plugin_table, get_extension, 32, const void* (*)(const char*) noexcept);
FROZEN_SIZE(weir_plugin_table, 40, 8);

static_assert(std::is_same_v<weir_plugin_entry, const weir_plugin_table* (*)(const weir_host*)>);

}  // namespace

TEST_CASE("ABI frozen: a file is found by its names and a grown struct by its size") {
  CHECK(WEIR_ENTRY_SYMBOL == std::string_view("weir_plugin"));
  CHECK(WEIR_MANIFEST_SECTION == std::string_view(".weir.manifest"));
  CHECK(WEIR_SCHEMAS_SECTION == std::string_view(".weir.schemas"));

  weir_resolver resolver{};
  resolver.struct_size = 88;  // ends with get_extension
  CHECK(WEIR_HAS(&resolver, weir_resolver, get_extension));
  CHECK_FALSE(WEIR_HAS(&resolver, weir_resolver, notify));
  resolver.struct_size = sizeof(weir_resolver);
  CHECK(WEIR_HAS(&resolver, weir_resolver, notify));
}
