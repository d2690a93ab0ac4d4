// A plugin that does what its records say, right and wrong, for the tests of the task.
#include <weir/sdk.h>

#include <cstdlib>
#include <stdexcept>
#include <string>

#include "probe.pb.h"

namespace probe {

weir::Time at(std::int64_t ms) { return weir::Time(std::chrono::milliseconds(ms)); }
std::int64_t ms_of(weir::Time time) { return time.time_since_epoch().count(); }

/// `await`: retried until the test has opened the command's number.
bool is_closed(const std::string& action, std::int64_t number) {
  const char* open = std::getenv("WEIR_PROBE_OPEN");
  return action == "await" && (open == nullptr || std::stoll(open) < number);
}

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

  if (is_closed(action, command.amount())) return weir::RetryAfter(std::chrono::seconds(5));
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
  const std::string& action = command.action();
  if (action == "timer without handler") context.notify_at(at(command.timer_ms()));
  ledger.set_sum(ledger.sum() + command.amount());
  if (action.starts_with("total ") && is_closed(action.substr(6), command.amount())) {
    return weir::RetryAfter(std::chrono::seconds(5));
  }
  if (action == "total fatal") return weir::Fatal("total is over");
  Balance balance;
  balance.set_key(command.key());
  balance.set_sum(ledger.sum());
  return balance;
}

weir::Result<Balance> echo(const weir::Record& record, weir::Context& context) {
  if (record.has_value() && record.value() == "timer") context.notify_at(weir::Time());
  if (record.has_value() && is_closed(std::string(record.value()), 1)) {
    return weir::RetryAfter(std::chrono::seconds(5));
  }
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
