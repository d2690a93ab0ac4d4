// A plugin that does what its records say, right and wrong, for the tests of the task.
#include <weir/sdk.h>

#include <stdexcept>

#include "probe.pb.h"

namespace probe {

/// Changes the State first, so that a trace would show, and then ends as the command says.
weir::Result<void> follow(const Command& command, Ledger& ledger, const Settings& settings,
                          weir::Out<Balance>& balances, weir::Out<Notice>& notices,
                          weir::Context& context) {
  const std::string& action = command.action();
  ledger.add_applied(action);
  const std::int64_t factor = settings.factor() == 0 ? 1 : settings.factor();
  ledger.set_sum(ledger.sum() + command.amount() * factor);
  Balance balance;
  balance.set_key(command.key());
  balance.set_sum(ledger.sum());
  balances.emit(balance);

  if (action == "throw") throw std::runtime_error("it threw");
  if (action == "reject") return weir::Reject("it was rejected");
  if (action == "skip") return weir::Skip();
  if (action == "retry") return weir::RetryAfter(std::chrono::seconds(5));
  if (action == "fatal") return weir::Fatal("it is over");
  if (action == "discard") context.discard_state();
  if (action == "notice") {
    Notice notice;
    notice.set_text(command.key());
    notices.emit(notice);
  }
  return {};
}

weir::Result<void> check(const Settings& settings) {
  if (settings.refuse()) return weir::Reject("these settings are refused");
  return {};
}

Balance total(const Command& command, Ledger& ledger) {
  ledger.set_sum(ledger.sum() + command.amount());
  Balance balance;
  balance.set_key(command.key());
  balance.set_sum(ledger.sum());
  return balance;
}

Balance echo(const weir::Record& record) {
  Balance balance;
  balance.set_key(record.has_value() ? std::string(record.value()) : "null");
  return balance;
}

}  // namespace probe

WEIR_PLUGIN("probe", "1.2.3",
            weir::resolver<probe::follow>("follow")
                .key<&probe::Command::key>()
                .event_time<&probe::Command::at_ms, std::chrono::milliseconds>()
                .outputs("balances", "notices")
                .check_settings<probe::check>(),
            weir::resolver<probe::total>("total").key<&probe::Command::key>(),
            weir::resolver<probe::echo>("echo"));
