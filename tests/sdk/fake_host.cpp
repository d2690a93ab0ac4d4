#include "fake_host.hpp"

namespace weir::test {

FakeHost::FakeHost() {
  weir_host& table = table_.abi;
  table_.host = this;
  table.struct_size = sizeof table;
  table.abi_major = WEIR_ABI_MAJOR;
  table.abi_minor = WEIR_ABI_MINOR;
  table.reserve = [](weir_call* call, std::size_t size) noexcept -> std::uint8_t* {
    FakeHost& host = of(call);
    return size > host.reserve_bytes_max ? nullptr : host.memory(size);
  };
  table.set_reason = [](weir_call* call, const char* text, std::size_t size) noexcept {
    of(call).reason.assign(text, size);
  };
  table.emit = [](weir_call* call, std::uint32_t output, weir_bytes key,
                  std::size_t size) noexcept -> std::uint8_t* {
    FakeHost& host = of(call);
    if (size > host.emit_bytes_max) return nullptr;
    std::uint8_t* memory = host.memory(size);
    host.features.push_back({output, key.data != nullptr, text(key), {memory, size}});
    return memory;
  };
  table.retry_after = [](weir_call* call, std::int64_t milliseconds) noexcept {
    of(call).retry_after_ms = milliseconds;
  };
  table.discard_state = [](weir_call* call) noexcept { of(call).discarded = true; };
  table.set_timer = [](weir_call* call, std::int32_t clock, std::int64_t time_ms) noexcept {
    of(call).timer = std::to_string(clock) + " at " + std::to_string(time_ms);
  };
  table.clear_timer = [](weir_call* call, std::int32_t clock) noexcept {
    of(call).timer = std::to_string(clock) + " cleared";
  };
  table.log = [](const weir_host* self, std::int32_t level, const char* text,
                 std::size_t size) noexcept {
    reinterpret_cast<const Table*>(self)->host->log.push_back(std::to_string(level) + " " +
                                                              std::string(text, size));
  };
  table.get_extension = [](const weir_host*, const char*) noexcept -> const void* {
    return nullptr;
  };
  call_.host = this;
}

weir_call* FakeHost::begin() {
  reason.clear();
  features.clear();
  retry_after_ms = -1;
  discarded = false;
  timer.clear();
  call_.abi = weir_call{};
  call_.abi.struct_size = sizeof(weir_call);
  return &call_.abi;
}

std::uint8_t* FakeHost::memory(std::size_t size) {
  constexpr std::size_t chunk_words = 8'192;
  const std::size_t words = size / 8 + 1;
  if (memory_.empty() || memory_.back().size() - used_ < words) {
    memory_.emplace_back(words < chunk_words ? chunk_words : words);
    used_ = 0;
  }
  std::uint64_t* found = memory_.back().data() + used_;
  used_ += words;
  return reinterpret_cast<std::uint8_t*>(found);
}

}  // namespace weir::test
