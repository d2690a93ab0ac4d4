#include "task/state_walk.hpp"

#include "base/bytes.hpp"

namespace weir::host {

namespace {
/// What one portion looks at, and what it migrates of that.
constexpr std::size_t visited_max = 2048;
constexpr std::size_t migrated_max = 128;
constexpr std::size_t bytes_max = std::size_t{1} << 20;
}  // namespace

Result<WalkPortion> walk_portion(TaskStore& store, const WalkedResolver& walked,
                                 std::string_view from) {
  WEIR_TRY(OlderStates page,
           store.older_states(walked.id, from, walked.instance.manifest().state_version,
                              {visited_max, migrated_max, bytes_max}));
  WalkPortion out{.visited = page.visited, .migrated = 0, .failures = {}, .next = {}};
  walked.instance.note_no_record();
  for (const std::string& key : page.keys) {
    if (auto live = walked.live.touch(key, LiveStates::hash(key)); live) {
      ++out.migrated;
    } else {
      out.failures.push_back(fmt::format("task {}, resolver {}, key \"{}\": {}", walked.task,
                                         walked.resolver, printable(key), live.error().message));
    }
  }
  out.next = std::move(page.next);
  return out;
}

void StateWalk::Progress::add(WalkPortion portion) {
  visited += portion.visited;
  migrated += portion.migrated;
  failed += portion.failures.size();
  for (std::string& failure : portion.failures) {
    if (failures.size() == failures_max) break;
    failures.push_back(std::move(failure));
  }
}

}  // namespace weir::host
