#include "resolve/applied_call.hpp"

#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "resolve/call.hpp"

namespace weir::host {
namespace {

weir_bytes maybe(const std::optional<std::string>& bytes) {
  return bytes ? to_abi(*bytes) : absent_bytes;
}
std::optional<std::string> owned(weir_bytes bytes) {
  if (bytes.data == nullptr) return std::nullopt;
  return std::string(from_abi(bytes));
}

TEST_CASE("a kept record comes back as it was whatever is absent or empty in it") {
  const std::vector<std::optional<std::string>> texts{std::nullopt, "", "ana",
                                                      std::string(300, 'x')};
  const std::string topic = "visits";
  for (const auto& key : texts) {
    for (const auto& value : texts) {
      for (const auto& header_value : texts) {
        const weir_header headers[]{{to_abi("first"), maybe(header_value)},
                                    {to_abi(""), maybe(value)}};
        weir_record record{maybe(key), maybe(value), headers, 2, to_abi(topic), 41, -7, 3};
        if (header_value == "ana") record.header_count = 0;
        Arena arena;
        Arena restored_arena;

        const AppliedCall* call = keep_call(record, 99, "ana", nullptr, arena);
        const weir_record restored = restore_record(*call, "ana", restored_arena);

        CHECK(owned(restored.key) == key);
        CHECK(owned(restored.value) == value);
        CHECK(restored.topic.data == record.topic.data);
        CHECK(restored.topic.size == record.topic.size);
        CHECK(restored.offset == 41);
        CHECK(restored.timestamp_ms == -7);
        CHECK(restored.partition == 3);
        REQUIRE(restored.header_count == record.header_count);
        for (std::size_t i = 0; i < restored.header_count; ++i) {
          CHECK(owned(restored.headers[i].name) == owned(headers[i].name));
          CHECK(owned(restored.headers[i].value) == owned(headers[i].value));
        }
      }
    }
  }
}

TEST_CASE("calls of a key hang together with the newest first") {
  Arena arena;
  weir_record record{};
  record.offset = 1;
  AppliedCall* const first = keep_call(record, 99, "ana", nullptr, arena);
  record.offset = 2;
  AppliedCall* const second = keep_call(record, 99, "ana", first, arena);

  CHECK(second->offset == 2);
  CHECK(second->previous == first);
  CHECK(first->previous == nullptr);
}

}  // namespace
}  // namespace weir::host
