#include "reload/swap_tasks.hpp"

#include <algorithm>

namespace weir::host {

namespace {
using Steady = std::chrono::steady_clock;
constexpr std::chrono::milliseconds look_again{1};

bool is_over(const TaskSwap& swap) {
  const TaskSwap::State state = swap.state();
  return state != TaskSwap::State::asked && state != TaskSwap::State::swapping;
}
}  // namespace

bool SwapsInRetirement::turn() {
  std::erase_if(swaps_, [](const auto& swap) { return swap->is_freed(); });
  return !swaps_.empty();
}

std::optional<Refusal> SwapTasks::run(const Plugin& before, const std::shared_ptr<Plugin>& after) {
  if (auto refused = make(after)) return refused;
  ask();
  if (auto refused = wait_for_all()) {
    take_back(before);
    return refused;
  }
  for (One& one : swaps_) {
    ++done_.tasks;
    done_.longest_pause_us = std::max(done_.longest_pause_us, one.swap->pause_us());
    (void)one.swap->take_builds();  // the instances live on in States that are not freed yet
    retirement_.add(std::move(one.swap));
  }
  swaps_.clear();
  return std::nullopt;
}

std::optional<Refusal> SwapTasks::make(const std::shared_ptr<Plugin>& after) {
  for (const ReloadApp::RunningTask& running : app_.tasks()) {
    auto builds = app_.builds(*running.task, after);
    if (!builds) {
      const bool schema = builds.error().code == Errc::refused;
      return Refusal{schema ? ReloadStep::schema : ReloadStep::load,
                     schema ? ReloadCode::state_schema : ReloadCode::settings_refused,
                     builds.error().message};
    }
    if (builds->resolvers.empty()) continue;
    swaps_.push_back({running, std::make_unique<TaskSwap>(*std::move(builds))});
  }
  return std::nullopt;
}

void SwapTasks::ask() {
  for (One& one : swaps_) one.running.task->request_swap(*one.swap);
}

void SwapTasks::pause() const {
  if (options_.turn) {
    options_.turn();
    return;
  }
  for (const One& one : swaps_) {
    if (one.swap == nullptr || is_over(*one.swap)) continue;
    one.swap->wait(look_again);
    return;
  }
}

std::optional<Refusal> SwapTasks::wait_for_all() {
  const auto deadline = Steady::now() + options_.timeout;
  while (true) {
    bool waiting = false;
    for (const One& one : swaps_) {
      const std::string& task = one.running.task->name();
      if (one.swap->state() == TaskSwap::State::failed) {
        return Refusal{ReloadStep::swap, ReloadCode::task_halted,
                       fmt::format("task {} has halted and cannot go over: {}; restart the host "
                                   "when that is mended",
                                   task, one.swap->failure().message)};
      }
      if (is_over(*one.swap)) continue;
      waiting = true;
      const bool ended = one.running.has_ended && one.running.has_ended();
      if ((ended || (options_.stopping != nullptr && options_.stopping->load())) &&
          !is_over(*one.swap)) {
        return Refusal{ReloadStep::swap, ReloadCode::stopping,
                       fmt::format("the host is stopping; task {} has not gone over", task)};
      }
      if (Steady::now() >= deadline) {
        return Refusal{ReloadStep::swap, ReloadCode::timeout,
                       fmt::format("task {} has not come to a commit within {} ms: a resolver that "
                                   "does not return, or a log that does not take what is published",
                                   task, options_.timeout.count())};
      }
    }
    if (!waiting) return std::nullopt;
    pause();
  }
}

void SwapTasks::take_back(const Plugin& before) {
  for (One& one : swaps_) {
    if (!one.running.task->withdraw_swap(*one.swap)) continue;
    one.swap.reset();
  }
  std::erase_if(swaps_, [](const One& one) { return one.swap == nullptr; });
  const auto all_over = [&] {
    return std::ranges::all_of(swaps_, [](const One& one) { return is_over(*one.swap); });
  };
  while (!all_over()) pause();

  for (One& one : swaps_) {
    if (one.swap->state() != TaskSwap::State::swapped) {
      one.swap.reset();
      continue;
    }
    TaskBuilds builds = one.swap->take_builds();
    retirement_.add(std::move(one.swap));
    auto registration = app_.registration(*one.running.task, before);
    if (!registration) {
      // The rules of the schema step are the same both ways, so this is a bug of ours.
      logger_.error("reload", "task {} cannot go back and stays at the new build: {}",
                    one.running.task->name(), registration.error().message);
      continue;
    }
    builds.registration = *std::move(registration);
    one.swap = std::make_unique<TaskSwap>(std::move(builds));
  }
  std::erase_if(swaps_, [](const One& one) { return one.swap == nullptr; });
  ask();
  // However long it takes: a task whose commit is not published yet goes back right after.
  while (!all_over()) {
    const bool stopping = options_.stopping != nullptr && options_.stopping->load();
    for (One& one : swaps_) {
      const bool ended = one.running.has_ended && one.running.has_ended();
      if ((stopping || ended) && !is_over(*one.swap)) one.running.task->withdraw_swap(*one.swap);
    }
    pause();
  }
  for (One& one : swaps_) {
    (void)one.swap->take_builds();
    retirement_.add(std::move(one.swap));
  }
  swaps_.clear();
}

}  // namespace weir::host
