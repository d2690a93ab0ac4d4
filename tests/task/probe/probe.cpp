// A plugin that does what its records say, right and wrong, for the tests of the task.
#include <weir/sdk.h>

#include <stdexcept>

#include "probe.pb.h"

namespace probe {

weir::Time at(std::int64_t ms) { return weir::Time(std::chrono::milliseconds(ms)); }
std::int64_t ms_of(weir::Time time) { return time.time_since_epoch().count(); }

weir::Result<void> end_as(const std::string& action, weir::Context& context) {
  if (action == "throw") throw std::runtime_error("it threw");
  if (action == "reject") return weir::Reject("it was rejected");
  if (action == "skip") return weir::Skip();
  if (action == "retry") return weir::RetryAfter(std::chrono::seconds(5));
  if (action == "fatal") return weir::Fatal("it is over");
  if (action == "discard") context.discard_state();
  if (action == "look at the record") (void)context.record();
  return {};
}

/// The same for a timer: its State says how it ends.
weir::Result<void> ring(Ledger& ledger, const Settings&, weir::Out<Balance>& balances,
                        weir::Context& context) {
  ledger.add_applied("timer " + std::to_string(ms_of(context.event_time())) + " at " +
                     std::to_string(ms_of(context.arrival_time())));
  ledger.set_sum(ledger.sum() + 1000);
  Balance balance;
  balance.set_key(std::string(context.key()));
  balance.set_sum(ledger.sum());
  balances.emit(balance);
  if (ledger.again_ms() != 0) {
    context.notify_at(context.event_time() + std::chrono::milliseconds(ledger.again_ms()));
  }
  return end_as(ledger.on_timer(), context);
}

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

  if (command.timer_ms() != 0) context.notify_at(at(command.timer_ms()));
  if (action == "cancel") context.cancel_notify();
  if (!command.on_timer().empty()) ledger.set_on_timer(command.on_timer());
  if (command.again_ms() != 0) ledger.set_again_ms(command.again_ms());

  if (auto outcome = end_as(action, context); !outcome.ok()) return outcome;
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

weir::Result<Balance> total(const Command& command, Ledger& ledger, weir::Context& context) {
  if (command.action() == "timer without handler") context.notify_at(at(command.timer_ms()));
  if (command.action() == "total retries") return weir::RetryAfter(std::chrono::seconds(5));
  ledger.set_sum(ledger.sum() + command.amount());
  Balance balance;
  balance.set_key(command.key());
  balance.set_sum(ledger.sum());
  return balance;
}

Balance echo(const weir::Record& record, weir::Context& context) {
  if (record.has_value() && record.value() == "timer") context.notify_at(weir::Time());
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
                .on_notify<probe::ring>()
                .check_settings<probe::check>(),
            weir::resolver<probe::total>("total").key<&probe::Command::key>(),
            weir::resolver<probe::echo>("echo"));
