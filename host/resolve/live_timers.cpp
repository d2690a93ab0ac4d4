#include "resolve/live_timers.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace weir::host {

namespace {
constexpr std::size_t page_timers_max = 256;
}  // namespace

Result<void> LiveTimers::reload() {
  changed_in_order_.clear();
  changed_.clear();
  next_ = 0;
  WEIR_TRY(page_, committed_.next(nullptr, page_timers_max));
  last_page_ = page_.size() < page_timers_max;
  return look_ahead();
}

Result<void> LiveTimers::look_ahead() {
  while (true) {
    while (next_ < page_.size() &&
           (changed_.contains(page_[next_].key) || is_held(page_[next_].key))) {
      ++next_;
    }
    if (next_ < page_.size() || last_page_) break;
    const KeyTimer after = std::move(page_.back());
    next_ = 0;
    WEIR_TRY(page_, committed_.next(&after, page_timers_max));
    last_page_ = page_.size() < page_timers_max;
  }
  first_ms_ = next_ < page_.size() ? page_[next_].timer.at_ms : never_ms;
  if (!changed_in_order_.empty()) {
    first_ms_ = std::min(first_ms_, changed_in_order_.begin()->first);
  }
  return {};
}

KeyTimer LiveTimers::first() const {
  WEIR_ASSERT(first_ms_ != never_ms, "first() of no timers");
  const bool committed = next_ < page_.size();
  if (changed_in_order_.empty()) return page_[next_];
  const auto& [at_ms, key] = *changed_in_order_.begin();
  if (committed && std::pair(page_[next_].timer.at_ms, std::string_view(page_[next_].key)) <
                       std::pair(at_ms, key)) {
    return page_[next_];
  }
  return {std::string(key), *changed_.find(key)->second};
}

Result<std::optional<Timer>> LiveTimers::get(std::string_view key) const {
  if (const auto found = changed_.find(key); found != changed_.end()) return found->second;
  return committed_.get(key);
}

Result<void> LiveTimers::put(std::string_view key, std::optional<Timer> timer) {
  auto found = changed_.find(key);
  if (found == changed_.end()) {
    found = changed_.emplace(std::string(key), std::nullopt).first;
  } else if (found->second) {
    changed_in_order_.erase({found->second->at_ms, found->first});
  }
  found->second = timer;
  if (timer && !is_held(key)) changed_in_order_.emplace(timer->at_ms, found->first);
  return look_ahead();
}

Result<void> LiveTimers::hold(std::string_view key) {
  held_.emplace(key);
  const auto changed = changed_.find(key);
  if (changed != changed_.end() && changed->second) {
    changed_in_order_.erase({changed->second->at_ms, changed->first});
  }
  return look_ahead();
}

// Its committed timer may have been passed over for good.
Result<void> LiveTimers::release(std::string_view key) {
  held_.erase(std::string(key));
  WEIR_TRY(const auto timer, get(key));
  if (!timer) return {};
  return put(key, timer);
}

std::vector<LiveTimers::Change> LiveTimers::changes() const {
  std::vector<Change> changes;
  changes.reserve(changed_.size());
  for (const auto& [key, timer] : changed_) changes.push_back({key, timer});
  std::ranges::sort(changes, {}, &Change::key);
  return changes;
}

}  // namespace weir::host
