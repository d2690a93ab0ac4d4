#pragma once

#include <atomic>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "reload/reload_app.hpp"
#include "task/parked_orders.hpp"

namespace weir::host {

/// What `weir parked retry|drop` and a host say to each other.
struct TaskOrders {
  std::string task;
  std::vector<ParkedOrder> orders;
};
using ParkedCommand = std::vector<TaskOrders>;

struct ParkedAnswer {
  std::string task;
  std::vector<ParkedOutcome> outcomes;  ///< of its orders; empty where it has `failed`
  std::string failed;                   ///< why nothing was done in this task; empty: it was
};

std::string parked_command_json(const ParkedCommand& command);
Result<ParkedCommand> read_parked_command_json(std::string_view json);  ///< Errc::invalid
std::string parked_answers_json(const std::vector<ParkedAnswer>& answers);
Result<std::vector<ParkedAnswer>> read_parked_answers_json(std::string_view json);  ///< the same

/// Has the tasks of a running app carry the command out, and waits for them, for 10 s at most or
/// until `stopping`. An answer for each entry of the command, in its order. [control]
std::vector<ParkedAnswer> change_parked(std::span<const ReloadApp::RunningTask> tasks,
                                        const ParkedCommand& command,
                                        const std::atomic<bool>& stopping);

}  // namespace weir::host
