#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "commit/task_store.hpp"
#include "weir/v1/task.pb.h"

namespace weir::host {

/// What a task knows of resolvers and State types: the databases "resolvers" and "schemas".
struct Catalog {
  std::map<std::string, v1::ResolverEntry, std::less<>> resolvers;
  std::map<std::uint32_t, v1::Schema> schemas;
};

struct Registration {
  Catalog catalog;                 ///< as it shall be stored
  std::vector<ResolverId> ids;     ///< in the order of the resolvers given
  std::vector<std::string> notes;  ///< what an operator should hear: new, renamed, left over
  /// What the task must do before it stage()s this: begin an undo log, because the builds that run
  /// cannot read the States of the new ones; or roll back to where they ran.
  UndoStep undo = UndoStep::none;
};

/// Joins the app's resolvers to what is stored; touches nothing.
/// Errc::refused: a State would be misread or lost; every reason is in the message.
Result<Registration> register_in(const Catalog& stored, std::span<const ResolverSchema> resolvers,
                                 std::span<const v1::Input> started_at);

}  // namespace weir::host
