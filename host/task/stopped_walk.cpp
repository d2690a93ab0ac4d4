#include "task/stopped_walk.hpp"

#include <utility>

#include "task/stored_states.hpp"

namespace weir::host {

namespace {

/// What one transaction writes, about: a portion more comes on top.
constexpr std::uint64_t states_max = 4096;
constexpr std::uint64_t bytes_max = std::uint64_t{64} << 20;

class Walk {
 public:
  Walk(const StoppedWalk& walk, StateWalk::Progress& progress) : walk_(walk), progress_(progress) {}

  Result<void> run() {
    WEIR_TRY(store_, TaskStore::open(walk_.store));
    if (!store_->head()) return {};  // no State was ever committed
    std::vector<ResolverSchema> schemas;
    for (const StoppedWalk::Resolver& one : walk_.resolvers) schemas.push_back(one.schema);
    const v1::Head& head = *store_->head();
    const std::vector<v1::Input> inputs(head.inputs().begin(), head.inputs().end());
    WEIR_TRY(const auto ids, store_->register_resolvers(schemas, inputs));
    for (std::size_t i = 0; i < ids.size(); ++i) WEIR_CHECK(walk(walk_.resolvers[i], ids[i]));
    return {};
  }

 private:
  Result<void> walk(const StoppedWalk::Resolver& resolver, ResolverId id) {
    WEIR_TRY(
        const auto instance,
        ResolverInstance::create(resolver.plugin, resolver.resolver, resolver.settings,
                                 {walk_.journal, walk_.control_journal, resolver.journal_number}));
    if (instance->stateless()) return {};
    StoredStates stored(*store_, id);
    LiveStates live(*instance, stored, walk_.live);
    const WalkedResolver walked{walk_.task, resolver.schema.name, id, *instance, live};
    std::uint64_t open = 0;  // migrated, and not stored yet
    std::string from;
    do {
      WEIR_TRY(WalkPortion portion, walk_portion(*store_, walked, from));
      from = portion.next;
      open += std::exchange(portion.migrated, 0);
      progress_.add(std::move(portion));
      const bool is_enough = live.touched_count() >= states_max ||
                             live.estimated_bytes() >= LiveStates::bytes_factor * bytes_max ||
                             live.over_limit();
      if (!from.empty() && !is_enough) continue;
      WEIR_CHECK(save(id, live));
      progress_.migrated += std::exchange(open, 0);
    } while (!from.empty());
    return {};
  }

  Result<void> save(ResolverId id, LiveStates& live) {
    arena_.reset();
    WEIR_TRY(const auto changes, live.changes(arena_));
    std::vector<StateChange> states;
    states.reserve(changes.size());
    for (const LiveStates::Change& change : changes) {
      states.push_back({id, change.live->key, change.bytes});
    }
    step("walk_save");
    if (!states.empty()) WEIR_CHECK(store_->change_states(states));
    step("walk_commit");
    live.committed(changes);
    return {};
  }

  void step(std::string_view name) const {
    if (walk_.after_step) walk_.after_step(name);
  }

  const StoppedWalk& walk_;
  StateWalk::Progress& progress_;
  std::unique_ptr<TaskStore> store_;
  Arena arena_;
};

}  // namespace

StateWalk::Progress walk_stopped(const StoppedWalk& walk) {
  StateWalk::Progress progress;
  if (auto walked = Walk(walk, progress).run(); !walked) {
    progress.gave_up = std::move(walked).error();
  }
  progress.over = true;
  return progress;
}

}  // namespace weir::host
