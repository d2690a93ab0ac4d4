#pragma once

#include <weir/abi.h>
#include <weir/record.h>

#include <cstdint>
#include <stdexcept>
#include <string_view>

namespace weir {

enum class LogLevel : std::int32_t {
  debug = WEIR_LOG_DEBUG,
  info = WEIR_LOG_INFO,
  warn = WEIR_LOG_WARN,
  error = WEIR_LOG_ERROR,
};

/// What surrounds one call of a resolver or of its handler of timers: the last parameter,
/// `weir::Context& ctx`, where it is wanted. Valid during the call only.
class Context {
 public:
  Context(const weir_host& host, weir_call& call) : host_(&host), call_(&call) {}
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  /// The record of the message. A timer has none: in .on_notify<>() this throws std::logic_error.
  Record record() const {
    if (call_->record == nullptr) throw std::logic_error("weir: a timer has no record");
    return Record(*call_->record);
  }

  /// The key that the State belongs to.
  std::string_view key() const { return detail::view(call_->key); }

  /// What `.event_time<>()` extracted, else the record's timestamp; in .on_notify<>() the time that
  /// the timer was set to. A resolver takes time from here and from arrival_time(), never from a
  /// clock, so that it gives the same result when the record comes again.
  Time event_time() const { return Time(std::chrono::milliseconds(call_->event_time_ms)); }

  /// The task's clock, which timers wait for: the host's, read once for a batch of records, or with
  /// `arrival: record` the newest timestamp of the source's records. It never goes back.
  Time arrival_time() const { return Time(std::chrono::milliseconds(call_->arrival_time_ms)); }

  /// Sets the key's one timer: `.on_notify<>()` is called when arrival_time() has reached `time`.
  /// It takes the place of the timer that was set before, and counts only if this call succeeds. A
  /// time that has passed already fires at the next opportunity, never within this call.
  void notify_at(Time time) {
    host_->set_timer(call_, WEIR_CLOCK_ARRIVAL, time.time_since_epoch().count());
  }

  /// The key has no timer any more, once this call has succeeded.
  void cancel_notify() { host_->clear_timer(call_, WEIR_CLOCK_ARRIVAL); }

  /// The key has no State and no timer any more once this call has succeeded: its next record
  /// starts from the initial State.
  void discard_state() { host_->discard_state(call_); }

  /// A line in the host's log, beside the plugin's name. Repeats are limited there.
  void log(LogLevel level, std::string_view text) const {
    host_->log(host_, static_cast<std::int32_t>(level), text.data(), text.size());
  }

 private:
  const weir_host* host_;
  weir_call* call_;
};

}  // namespace weir
