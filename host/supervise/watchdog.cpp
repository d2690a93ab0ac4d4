#include "supervise/watchdog.hpp"

#include <algorithm>
#include <chrono>

#include "supervise/crash_handler.hpp"

namespace weir::host {

namespace {
constexpr std::int64_t tick_min_ms = 5;
constexpr std::int64_t tick_max_ms = 100;
}  // namespace

Watchdog::Watchdog(Options options, Journal& journal, Logger& logger)
    : options_(options), journal_(journal), logger_(logger) {
  std::int64_t shortest = options_.soft_ms;
  if (options_.hard_ms > 0) shortest = std::min(shortest, options_.hard_ms);
  tick_ms_ = std::clamp(shortest / 4, tick_min_ms, tick_max_ms);
  thread_ = std::thread([this] { run(); });
}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

std::map<std::string, std::uint64_t> Watchdog::slow_calls() const {
  const std::lock_guard lock(mutex_);
  return slow_;
}

void Watchdog::run() {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      if (wake_.wait_for(lock, std::chrono::milliseconds(tick_ms_), [this] { return stopping_; })) {
        return;
      }
    }
    watched_.resize(journal_.line_count());
    for (std::size_t i = 0; i < watched_.size(); ++i) look(i);
  }
}

void Watchdog::look(std::size_t number) {
  const JournalLine& line = journal_.lines()[number];
  const std::uint64_t call = line.call.load(std::memory_order_relaxed);
  Watched& watched = watched_[number];
  if (JournalLine::slot_of(call) == Slot::none || call != watched.call) {
    watched = {call, 0, false};
    return;
  }
  const std::int64_t elapsed_ms = ++watched.ticks * tick_ms_;
  if (!watched.told && elapsed_ms >= options_.soft_ms) {
    watched.told = true;
    const std::string resolver = journal_.resolver(line.resolver);
    const Journal::Names names = journal_.names(number);
    logger_.warn("watchdog", "task {}: {}() of resolver {} takes longer than {} ms{}", names.task,
                 name_of(JournalLine::slot_of(call)), resolver, options_.soft_ms,
                 line.span > 0 ? fmt::format(", from offset {} on", line.at.load()) : "");
    const std::lock_guard lock(mutex_);
    ++slow_[resolver];
  }
  if (options_.hard_ms > 0 && elapsed_ms >= options_.hard_ms) {
    logger_.error("watchdog", "task {}: a call of resolver {} has not come back for {} ms",
                  journal_.names(number).task, journal_.resolver(line.resolver), elapsed_ms);
    end_hung_call(number);
  }
}

}  // namespace weir::host
