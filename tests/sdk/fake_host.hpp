#pragma once

#include <weir/abi.h>

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace weir::test {

/// The smallest honest host: it keeps what the slots say. One call at a time.
class FakeHost {
 public:
  struct Feature {
    std::uint32_t output;
    bool has_key;
    std::string key;
    weir_bytes memory;
    std::string bytes() const { return {reinterpret_cast<const char*>(memory.data), memory.size}; }
  };

  FakeHost();
  FakeHost(const FakeHost&) = delete;
  FakeHost& operator=(const FakeHost&) = delete;

  const weir_host* table() const { return &table_.abi; }

  /// A new call: what the last one said is forgotten; its memory stays as long as the FakeHost.
  weir_call* begin();

  std::size_t reserve_bytes_max = std::size_t{1} << 20;
  std::size_t emit_bytes_max = std::size_t{1} << 20;

  std::string reason;
  std::vector<Feature> features;
  std::int64_t retry_after_ms = -1;
  bool discarded = false;
  std::string timer;  ///< "<clock> at <ms>" or "<clock> cleared"; empty: not touched
  std::vector<std::string> log;

  weir_call& call() { return call_.abi; }

 private:
  struct Call {
    weir_call abi{};
    FakeHost* host = nullptr;
  };
  static FakeHost& of(weir_call* call) { return *reinterpret_cast<Call*>(call)->host; }
  std::uint8_t* memory(std::size_t size);

  struct Table {
    weir_host abi{};
    FakeHost* host = nullptr;
  };
  Table table_;
  Call call_;
  std::deque<std::vector<std::uint64_t>> memory_;  // words; the last one is being filled
  std::size_t used_ = 0;
};

/// Bytes as the host passes them: never NULL when they are there.
inline weir_bytes bytes(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline constexpr weir_bytes absent{nullptr, 0};
inline std::string text(weir_bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data), bytes.size};
}

}  // namespace weir::test
