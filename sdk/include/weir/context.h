#pragma once

#include <weir/abi.h>
#include <weir/record.h>

#include <cstdint>
#include <string_view>

namespace weir {

enum class LogLevel : std::int32_t {
  debug = WEIR_LOG_DEBUG,
  info = WEIR_LOG_INFO,
  warn = WEIR_LOG_WARN,
  error = WEIR_LOG_ERROR,
};

/// What surrounds one call of a resolver: its last parameter, `weir::Context& ctx`, where it is
/// wanted. Valid during the call only.
class Context {
 public:
  Context(const weir_host& host, weir_call& call) : host_(&host), call_(&call) {}
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  /// The record of the message.
  Record record() const { return Record(*call_->record); }

  /// The key that the State belongs to.
  std::string_view key() const { return detail::view(call_->key); }

  /// What `.event_time<>()` extracted, else the record's timestamp. A resolver takes time from here
  /// and never from a clock, so that it gives the same result when the record comes again.
  Time event_time() const { return Time(std::chrono::milliseconds(call_->event_time_ms)); }

  /// The key has no State any more once this call has succeeded: its next record starts from the
  /// initial State.
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
