#pragma once

#include <optional>
#include <string_view>

#include "commit/task_store.hpp"
#include "resolve/live_states.hpp"

namespace weir::host {

/// What a task's store holds of one resolver. The store outlives it.
class StoredStates final : public CommittedStates {
 public:
  StoredStates(TaskStore& store, ResolverId id) : store_(store), id_(id) {}

  Result<std::optional<State>> get(std::string_view key) override {
    WEIR_TRY(const auto stored, store_.get(id_, key));
    if (!stored) return std::optional<State>{};
    return std::optional<State>(State{stored->bytes, stored->state_version});
  }

 private:
  TaskStore& store_;
  ResolverId id_;
};

}  // namespace weir::host
