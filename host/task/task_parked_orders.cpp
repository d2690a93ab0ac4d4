// What an operator wants of keys that wait, while the task goes on.
#include <unordered_set>
#include <utility>

#include "task/task.hpp"

namespace weir::host {

void Task::request_parked(std::shared_ptr<ParkedRequest> request) {
  const std::lock_guard lock(swap_mutex_);
  asked_parked_ = std::move(request);
  parked_is_asked_.store(true, std::memory_order_relaxed);
}

/// Null: it was withdrawn.
std::shared_ptr<ParkedRequest> Task::begin_parked_request() {
  const std::lock_guard lock(swap_mutex_);
  parked_is_asked_.store(false, std::memory_order_relaxed);
  auto request = std::exchange(asked_parked_, nullptr);
  return request != nullptr && request->begin() ? request : nullptr;
}

void Task::refuse_parked_request() {
  const auto request = begin_parked_request();
  if (request == nullptr) return;
  request->fail(error(Errc::refused,
                      "task {} has halted, and handles nothing until the host is started again "
                      "({}); stop the host, change what waits, and start it",
                      options_.name, halted_->message));
}

Result<void> Task::change_parked_if_asked() {
  // Its commit would have to wait for the one on its way out: go on with records meanwhile.
  if (publishing_ && !ports_.publisher.is_done(*publishing_)) return {};
  const auto request = begin_parked_request();
  if (request == nullptr) return {};
  // What is stored is what waits.
  const bool is_open = next_offset_ != committed_offset_ || open_records_ > 0;
  if (is_open) {
    if (auto committed = commit(); !committed) {
      request->fail(committed.error());
      return committed;
    }
  }
  return carry_out(*request);
}

Result<void> Task::carry_out(ParkedRequest& request) {
  auto outcomes = host::carry_out(*store_, request.orders_);
  if (!outcomes) {
    request.fail(std::move(outcomes).error());
    return {};
  }
  step("parked_changed");
  request.end(*std::move(outcomes));
  std::unordered_set<std::uint64_t> dropped;
  for (const ParkedOrder& order : request.orders_) {
    if (order.drop > 0) dropped.insert(order.number);
  }
  std::vector<std::pair<std::size_t, std::string>> waited;  // resolver and key
  parking_->each([&](const Parking::Key& key) {
    if (dropped.contains(key.number)) waited.emplace_back(key.resolver, key.row.key());
  });
  WEIR_CHECK(read_parking());
  for (const auto& [resolver, key] : waited) {
    const bool waits_still = parking_->find(resolver, key, LiveStates::hash(key)) != nullptr;
    if (!waits_still) WEIR_CHECK(end_wait(stages_[resolver], key));
  }
  return {};
}

}  // namespace weir::host
