#include "reload/swap_tasks.hpp"

#include <algorithm>
#include <thread>

namespace weir::host {

namespace {
using Steady = std::chrono::steady_clock;
constexpr std::chrono::milliseconds look_again{1};

bool is_over(const TaskSwap& swap) {
  const TaskSwap::State state = swap.state();
  return state != TaskSwap::State::asked && state != TaskSwap::State::swapping;
}
}  // namespace

SwapsInRetirement::SwapsInRetirement() = default;
SwapsInRetirement::~SwapsInRetirement() = default;

void SwapsInRetirement::add(std::unique_ptr<GoingBack> task) {
  going_back_.push_back(std::move(task));
}

bool SwapsInRetirement::turn() {
  std::erase_if(going_back_, [this](const auto& task) { return task->turn(*this); });
  std::erase_if(swaps_, [](const auto& swap) { return swap->is_freed(); });
  return !swaps_.empty() || !going_back_.empty();
}

std::string SwapsInRetirement::going_back() const {
  return going_back_.empty() ? "" : going_back_.front()->task();
}

// ---------------------------------------------------------------------------------------------

bool GoingBack::is_on_its_way() {
  if (is_over(*swap_)) return false;
  // Its thread turns it no more.
  if (running_.has_ended && running_.has_ended()) running_.task->withdraw_swap(*swap_);
  return !is_over(*swap_);
}

bool GoingBack::turn(SwapsInRetirement& retirement) {
  if (is_on_its_way()) return false;
  if (turned_) {
    (void)swap_->take_builds();
    retirement.add(std::move(swap_));
    return true;
  }
  if (swap_->state() != TaskSwap::State::swapped) return true;
  TaskBuilds builds = swap_->take_builds();
  retirement.add(std::move(swap_));
  auto registration = app_.registration(*running_.task, *before_);
  if (!registration) {
    // The rules of the schema step are the same both ways, so this is a bug of ours.
    logger_.error("reload", "task {} cannot go back and stays at the new build: {}", task(),
                  registration.error().message);
    return true;
  }
  builds.registration = *std::move(registration);
  swap_ = std::make_unique<TaskSwap>(std::move(builds));
  turned_ = true;
  running_.task->request_swap(*swap_);
  return false;
}

// ---------------------------------------------------------------------------------------------

std::optional<Refusal> SwapTasks::run(const std::shared_ptr<Plugin>& before,
                                      const std::shared_ptr<Plugin>& after) {
  if (auto refused = make(after)) return refused;
  ask();
  if (auto refused = wait_for_all()) {
    refused->text += take_back(before);
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

std::string SwapTasks::take_back(const std::shared_ptr<Plugin>& before) {
  std::vector<std::unique_ptr<GoingBack>> going;
  for (One& one : swaps_) {
    if (one.running.task->withdraw_swap(*one.swap)) continue;
    going.push_back(
        std::make_unique<GoingBack>(app_, logger_, one.running, std::move(one.swap), before));
  }
  swaps_.clear();
  const auto deadline = Steady::now() + options_.timeout;
  while (true) {
    std::erase_if(going, [this](const auto& task) { return task->turn(retirement_); });
    const bool stopping = options_.stopping != nullptr && options_.stopping->load();
    if (going.empty() || stopping || Steady::now() >= deadline) break;
    if (options_.turn) {
      options_.turn();
    } else {
      std::this_thread::sleep_for(look_again);
    }
  }
  std::string late;
  for (auto& task : going) {
    late +=
        fmt::format("; task {} goes back as soon as what it has published is out", task->task());
    retirement_.add(std::move(task));
  }
  return late;
}

}  // namespace weir::host
