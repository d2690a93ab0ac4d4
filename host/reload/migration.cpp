#include "reload/migration.hpp"

namespace weir::host {

Migration::Migration(ReloadApp& app, const Plugin& plugin)
    : plugin_(plugin.manifest().plugin), version_(plugin.manifest().version) {
  for (const ReloadApp::RunningTask& running : app.tasks()) {
    One& one = walks_.emplace_back();
    one.running = running;
    one.walk = std::make_shared<StateWalk>(plugin_);
    running.task->request_walk(one.walk);
  }
}

Migration::Progress Migration::progress() const {
  Progress sum;
  sum.plugin = plugin_;
  sum.version = version_;
  sum.tasks = walks_.size();
  for (const One& one : walks_) {
    const bool ended = one.running.has_ended && one.running.has_ended();
    const StateWalk::Progress walk = one.walk->progress();
    sum.visited += walk.visited;
    sum.migrated += walk.migrated;
    sum.failed += walk.failed;
    for (const std::string& failure : walk.failures) {
      if (sum.failures.size() < StateWalk::failures_max) sum.failures.push_back(failure);
    }
    sum.tasks_done += walk.over || ended ? 1 : 0;
    const std::string& task = one.running.task->name();
    if (walk.gave_up) {
      sum.gave_up.push_back(fmt::format("task {} has halted: {}", task, walk.gave_up->message));
    } else if (!walk.over && ended) {
      sum.gave_up.push_back(fmt::format("task {} ends with the host", task));
    }
  }
  return sum;
}

}  // namespace weir::host
