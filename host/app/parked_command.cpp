#include "app/parked_command.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>

#include <nlohmann/json.hpp>

namespace weir::host {

namespace {

using json = nlohmann::ordered_json;
using State = ParkedRequest::State;

/// For the tasks to come to a commit.
constexpr std::chrono::milliseconds wait_max{10'000};
constexpr std::chrono::milliseconds tick{20};

constexpr std::array<std::string_view, 3> words{"done", "gone", "moved"};

/// One task's part of a command that is under way.
class Asked {
 public:
  Asked(std::span<const ReloadApp::RunningTask> tasks, const TaskOrders& orders)
      : name_(orders.task), request_(std::make_shared<ParkedRequest>(orders.orders)) {
    for (const ReloadApp::RunningTask& one : tasks) {
      if (one.task->name() == name_) running_ = &one;
    }
    if (running_ != nullptr) running_->task->request_parked(request_);
  }

  ParkedAnswer answer(std::chrono::steady_clock::time_point until,
                      const std::atomic<bool>& stopping) {
    if (running_ == nullptr) return failed(fmt::format("the app has no task {}", name_));
    State state = State::asked;
    while ((state = request_->wait(tick)) == State::asked || state == State::begun) {
      // What has begun comes to its end.
      if (stopping || (running_->has_ended && running_->has_ended())) {
        if (request_->withdraw()) return failed(fmt::format("task {}: the host stops", name_));
      } else if (std::chrono::steady_clock::now() >= until && request_->withdraw()) {
        return failed(
            fmt::format("task {} has not come to a commit within {} s: a resolver that does not "
                        "return, or a log that does not take what is published; ask again",
                        name_, wait_max.count() / 1000));
      }
    }
    if (state == State::failed) return failed(request_->failure().message);
    return {name_, request_->outcomes(), {}};
  }

 private:
  ParkedAnswer failed(std::string why) const { return {name_, {}, std::move(why)}; }

  std::string name_;
  std::shared_ptr<ParkedRequest> request_;
  const ReloadApp::RunningTask* running_ = nullptr;
};

Error not_understood(std::string_view what, const json::exception& wrong) {
  return error(Errc::invalid, "this is not {}: {}", what, wrong.what());
}

}  // namespace

std::string parked_command_json(const ParkedCommand& command) {
  json tasks = json::array();
  for (const TaskOrders& task : command) {
    json orders = json::array();
    for (const ParkedOrder& one : task.orders) {
      orders.push_back({one.number, one.since_ms, one.first, one.drop});
    }
    tasks.push_back({{"task", task.task}, {"orders", std::move(orders)}});
  }
  return json{{"tasks", std::move(tasks)}}.dump();
}

Result<ParkedCommand> read_parked_command_json(std::string_view text) {
  try {
    ParkedCommand command;
    const json said = json::parse(text);
    for (const json& task : said.at("tasks")) {
      TaskOrders& one = command.emplace_back();
      task.at("task").get_to(one.task);
      for (const json& order : task.at("orders")) {
        one.orders.push_back({order.at(0).get<std::uint64_t>(), order.at(1).get<std::int64_t>(),
                              order.at(2).get<std::uint64_t>(), order.at(3).get<std::uint64_t>()});
      }
    }
    return command;
  } catch (const json::exception& wrong) {
    return not_understood("a request", wrong);
  }
}

std::string parked_answers_json(const std::vector<ParkedAnswer>& answers) {
  json tasks = json::array();
  for (const ParkedAnswer& answer : answers) {
    json outcomes = json::array();
    for (const ParkedOutcome one : answer.outcomes) {
      outcomes.push_back(words.at(static_cast<std::size_t>(one)));
    }
    tasks.push_back(
        {{"task", answer.task}, {"outcomes", std::move(outcomes)}, {"failed", answer.failed}});
  }
  return json{{"tasks", std::move(tasks)}}.dump(-1, ' ', false, json::error_handler_t::replace) +
         "\n";
}

Result<std::vector<ParkedAnswer>> read_parked_answers_json(std::string_view text) {
  try {
    std::vector<ParkedAnswer> answers;
    const json said = json::parse(text);
    for (const json& task : said.at("tasks")) {
      ParkedAnswer& one = answers.emplace_back();
      task.at("task").get_to(one.task);
      task.at("failed").get_to(one.failed);
      for (const json& outcome : task.at("outcomes")) {
        const auto* const word = std::ranges::find(words, outcome.get<std::string>());
        if (word == words.end())
          return error(Errc::invalid, "an unknown outcome {}", outcome.dump());
        one.outcomes.push_back(static_cast<ParkedOutcome>(word - words.begin()));
      }
    }
    return answers;
  } catch (const json::exception& wrong) {
    return not_understood("an answer of this version of `weir`", wrong);
  }
}

std::vector<ParkedAnswer> change_parked(std::span<const ReloadApp::RunningTask> tasks,
                                        const ParkedCommand& command,
                                        const std::atomic<bool>& stopping) {
  const auto until = std::chrono::steady_clock::now() + wait_max;
  std::vector<Asked> asked;
  asked.reserve(command.size());
  for (const TaskOrders& orders : command) asked.emplace_back(tasks, orders);
  std::vector<ParkedAnswer> answers;
  for (Asked& one : asked) answers.push_back(one.answer(until, stopping));
  return answers;
}

}  // namespace weir::host
