#pragma once

#include <cstdlib>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <weir/test_driver.h>

#include "probe.pb.h"

namespace weir::test {

/// The host with the probe plugin, whose records say what its resolver does.
class ProbeDriver : public TestDriver {
 public:
  explicit ProbeDriver(std::string_view yaml) : TestDriver(prepared("probe"), yaml) {}

  void tell(std::string_view key, std::string_view action, int amount = 0) {
    pipe("commands",
         fmt::format(R"({{"key": "{}", "action": "{}", "amount": "{}"}})", key, action, amount));
  }
  /// What a command says beside key, action and amount.
  struct Told {
    std::int64_t timer_ms = 0;
    std::string on_timer;
    std::int64_t again_ms = 0;
  };
  void tell(std::string_view key, std::string_view action, int amount, const Told& told,
            const Envelope& envelope = {}) {
    pipe("commands",
         fmt::format(R"({{"key": "{}", "action": "{}", "amount": "{}", "timerMs": "{}", )"
                     R"("onTimer": "{}", "againMs": "{}"}})",
                     key, action, amount, told.timer_ms, told.on_timer, told.again_ms),
         envelope);
  }
  std::vector<std::string> applied(std::string_view key) const {
    const auto ledger = state<probe::Ledger>(key, "follow");
    return {ledger.applied().begin(), ledger.applied().end()};
  }
  std::vector<std::int64_t> sums() const {
    std::vector<std::int64_t> sums;
    for (const auto& balance : features<probe::Balance>()) sums.push_back(balance.sum());
    return sums;
  }

 private:
  static std::string_view prepared(std::string_view plugin) {
    setenv("WEIR_PLUGIN_DIR", WEIR_PLUGIN_DIR, 1);
    return plugin;
  }
};

/// What the clock of a driver shows first.
inline constexpr std::int64_t start_ms = 1'767'225'600'000;

/// What the probe's timer leaves in `applied`.
inline std::string rang(std::int64_t set_to_ms, std::int64_t at_ms) {
  return fmt::format("timer {} at {}", set_to_ms, at_ms);
}

inline constexpr std::string_view one_resolver = R"(
app: probe
plugins: [probe.so]
sources:
  commands: {topic: commands}
resolvers:
  follow: {use: probe/follow, from: commands, to: {balances: balances, notices: notices}}
sinks:
  balances: {topic: balances}
  notices: {topic: notices}
)";

}  // namespace weir::test
