#include "resolve/applied_call.hpp"

#include <cstring>
#include <new>

#include "base/bytes.hpp"
#include "resolve/call.hpp"

namespace weir::host {

namespace {

constexpr std::size_t header_sizes_bytes = 2 * sizeof(std::uint32_t);

std::uint32_t stored_size(weir_bytes bytes) {
  return bytes.data == nullptr ? AppliedCall::absent : static_cast<std::uint32_t>(bytes.size);
}
std::size_t present_size(weir_bytes bytes) { return bytes.data == nullptr ? 0 : bytes.size; }

void put(char*& to, weir_bytes bytes) {
  if (present_size(bytes) == 0) return;
  std::memcpy(to, bytes.data, bytes.size);
  to += bytes.size;
}

void put_size(char*& to, weir_bytes bytes) {
  const std::uint32_t size = stored_size(bytes);
  std::memcpy(to, &size, sizeof size);
  to += sizeof size;
}

weir_bytes take(const char*& from, std::uint32_t size) {
  if (size == AppliedCall::absent) return absent_bytes;
  const weir_bytes bytes = to_abi({from, size});
  from += size;
  return bytes;
}

}  // namespace

AppliedCall* keep_firing(std::int64_t at_ms, std::int64_t arrival_ms, AppliedCall* previous,
                         Arena& arena) {
  auto* const call = new (arena.allocate(sizeof(AppliedCall))) AppliedCall;
  call->previous = previous;
  call->offset = AppliedCall::timer;
  call->timestamp_ms = at_ms;
  call->arrival_ms = arrival_ms;
  return call;
}

AppliedCall* keep_call(const weir_record& record, std::int64_t arrival_ms,
                       std::string_view state_key, AppliedCall* previous, Arena& arena) {
  const bool same_key = record.key.data != nullptr && from_abi(record.key) == state_key;
  const weir_bytes key = same_key ? absent_bytes : record.key;
  std::size_t size = sizeof(AppliedCall) + present_size(record.value) + present_size(key);
  for (std::size_t i = 0; i < record.header_count; ++i) {
    size += header_sizes_bytes + present_size(record.headers[i].name) +
            present_size(record.headers[i].value);
  }
  char* to = arena.allocate(size);
  auto* const call =
      new (to) AppliedCall{previous,
                           record.topic,
                           record.offset,
                           record.timestamp_ms,
                           arrival_ms,
                           record.partition,
                           same_key ? AppliedCall::key_is_state_key : stored_size(key),
                           stored_size(record.value),
                           static_cast<std::uint32_t>(record.header_count)};
  to += sizeof(AppliedCall);
  put(to, record.value);
  put(to, key);
  for (std::size_t i = 0; i < record.header_count; ++i) {
    const weir_header& header = record.headers[i];
    put_size(to, header.name);
    put_size(to, header.value);
    put(to, header.name);
    put(to, header.value);
  }
  return call;
}

weir_record restore_record(const AppliedCall& call, std::string_view state_key, Arena& arena) {
  weir_record record{};
  const char* from = reinterpret_cast<const char*>(&call + 1);
  record.value = take(from, call.value_size);
  record.key = call.key_size == AppliedCall::key_is_state_key ? to_abi(state_key)
                                                              : take(from, call.key_size);
  record.topic = call.topic;
  record.offset = call.offset;
  record.timestamp_ms = call.timestamp_ms;
  record.partition = call.partition;
  record.header_count = call.header_count;
  if (call.header_count == 0) return record;
  auto* const headers =
      reinterpret_cast<weir_header*>(arena.allocate(call.header_count * sizeof(weir_header)));
  for (std::uint32_t i = 0; i < call.header_count; ++i) {
    const auto name_size = load_le<std::uint32_t>(from);
    const auto value_size = load_le<std::uint32_t>(from + sizeof(std::uint32_t));
    from += header_sizes_bytes;
    const weir_bytes name = take(from, name_size);
    new (&headers[i]) weir_header{name, take(from, value_size)};
  }
  record.headers = headers;
  return record;
}

}  // namespace weir::host
