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
