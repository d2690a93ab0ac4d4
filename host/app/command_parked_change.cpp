// `weir parked retry` and `weir parked drop`. What waits is looked at first, and printed where it
// is to be dropped; then the tasks are told which keys and records were meant, by the host that
// runs or here. So nothing is dropped that was not printed, whatever a host does meanwhile.
#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "app/app_parts.hpp"
#include "app/command_parked.hpp"
#include "app/command_reload.hpp"
#include "app/parked_command.hpp"
#include "app/record_line.hpp"
#include "base/counted.hpp"
#include "commit/state_directory.hpp"
#include "commit/state_reader.hpp"
#include "config/config.hpp"
#include "config/values.hpp"
#include "task/parked_view.hpp"

namespace weir::host {
namespace {

using Parked = StateReader::Parked;

/// In one transaction of a task.
constexpr std::size_t keys_max = 500;
constexpr std::uint64_t records_max = 10'000;
/// A reload may be under way.
constexpr std::chrono::milliseconds answer_max{120'000};

std::uint64_t record_count(const Parked& one) { return one.key.next() - one.key.first(); }

Result<std::unique_ptr<StateReader>> open_reader(const Config& config,
                                                 const std::filesystem::path& state) {
  WEIR_TRY(auto reader, StateReader::open(state));
  if (reader->app() == config.app().app()) return reader;
  return error(Errc::refused, "the state directory {} belongs to app {}, not to app {}",
               state.string(), reader->app(), config.app().app());
}

/// The keys that the options name. Errc::not_found: one of them does not wait, or there is no such
/// resolver.
Result<std::vector<Parked>> choose(const ParkedOptions& options, const Config& config,
                                   StateReader& reader) {
  WEIR_TRY(auto all, reader.parked());
  bool is_known = options.resolver.empty() || config.app().resolvers().contains(options.resolver);
  std::set<std::string> missing(options.keys.begin(), options.keys.end());
  std::vector<Parked> chosen;
  for (Parked& one : all) {
    if (!options.resolver.empty() && one.key.resolver() != options.resolver) continue;
    is_known = true;
    const bool named = one.key.has_key() && std::ranges::count(options.keys, one.key.key()) > 0;
    if (!options.all && !named) continue;
    missing.erase(one.key.key());
    chosen.push_back(std::move(one));
  }
  if (!is_known) {
    return error(Errc::not_found, "the app has no resolver {}; it has {}", options.resolver,
                 fmt::join(sorted_names(config.app().resolvers()), ", "));
  }
  if (!missing.empty()) {
    return error(Errc::not_found,
                 "the key {} does not wait{}; weir parked list shows those that do",
                 readable(*missing.begin()),
                 options.resolver.empty() ? "" : " in resolver " + options.resolver);
  }
  return chosen;
}

void print(const Parked& one, const v1::ParkedRecord& record, OutputFormat format) {
  if (format == OutputFormat::text) {
    print_line(fmt::format("{:<16} {:<24} offset {:<10} {}", one.key.resolver(), name_of(one.key),
                           record.offset(), format_time_ms(record.timestamp_ms())));
    return;
  }
  const ParkedView view({&record, 1});
  print_line(record_line(partition_of_task(one.task), view.records.front(), std::nullopt));
}

/// The first `count` records of a key. False: they are others by now.
Result<bool> print(StateReader& reader, const Parked& one, std::uint64_t count,
                   OutputFormat format) {
  std::uint64_t sequence = one.key.first();
  for (const std::uint64_t end = sequence + count; sequence < end;) {
    const ParkedLimit limit{.records = std::min<std::uint64_t>(end - sequence, 256)};
    WEIR_TRY(const auto records, reader.parked_records(one, sequence, limit));
    if (!records) return false;
    for (const v1::ParkedRecord& record : *records) print(one, record, format);
    sequence += records->size();
  }
  return true;
}

/// Has orders carried out by the host that runs on a state directory, or in its place.
class Carrier {
 public:
  static Result<Carrier> open(const Config& config, std::filesystem::path state) {
    Carrier out(config, std::move(state));
    if (StateDirectory::holder(out.state_)) return out;
    std::vector<std::string> warnings;
    WEIR_TRY(out.directory_, StateDirectory::lock(out.state_, config.app().app(), warnings));
    for (const std::string& warning : warnings) say("{}", warning);
    return out;
  }

  bool beside_a_host() const { return directory_ == nullptr; }

  Result<std::vector<ParkedAnswer>> carry_out(const ParkedCommand& command) {
    if (beside_a_host()) return ask(command);
    std::vector<ParkedAnswer> answers;
    for (const TaskOrders& task : command) {
      WEIR_TRY(const auto store, TaskStore::open(store_options(config_->app(), state_, task.task)));
      WEIR_TRY(auto outcomes, host::carry_out(*store, task.orders));
      answers.push_back({task.task, std::move(outcomes), {}});
    }
    return answers;
  }

 private:
  Carrier(const Config& config, std::filesystem::path state)
      : config_(&config), state_(std::move(state)) {}

  Result<std::vector<ParkedAnswer>> ask(const ParkedCommand& command) {
    WEIR_TRY(const std::string json, ask_host(state_, "/parked", parked_command_json(command),
                                              answer_max, "it has ended just now; ask again"));
    return read_parked_answers_json(json);
  }

  const Config* config_;
  std::filesystem::path state_;
  std::unique_ptr<StateDirectory> directory_;  // null: a host has it
};

/// One `retry` or `drop`.
class Change {
 public:
  Change(const ParkedOptions& options, const Config& config, std::filesystem::path state, bool drop)
      : options_(options), config_(config), state_(std::move(state)), drop_(drop) {}

  Result<ExitCode> run() {
    std::vector<Parked> chosen;
    {
      // Not beside an open store, here and below: one process, one environment.
      WEIR_TRY(const auto reader, open_reader(config_, state_));
      WEIR_TRY(chosen, choose(options_, config_, *reader));
    }
    std::optional<Carrier> carrier;
    if (!options_.dry_run) {
      WEIR_TRY(carrier, Carrier::open(config_, state_));
    }
    for (auto first = chosen.begin(); first != chosen.end();) {
      const auto end = end_of_portion(first, chosen.end());
      WEIR_CHECK(change({first, end}, carrier ? &*carrier : nullptr));
      first = end;
    }
    flush_data();
    for (const std::string& one : not_done_) say("{}", one);
    sum_up(carrier && carrier->beside_a_host());
    return not_done_.empty() ? ExitCode::ok : ExitCode::failed;
  }

 private:
  using At = std::vector<Parked>::iterator;

  std::uint64_t dropped_of(const Parked& one) const {
    return !drop_ ? 0 : options_.whole ? record_count(one) : 1;
  }

  At end_of_portion(At at, At end) const {
    std::uint64_t records = 0;
    for (std::size_t keys = 0; at != end && keys < keys_max && records < records_max;
         ++at, ++keys) {
      records += dropped_of(*at);
    }
    return at;
  }

  Result<void> change(std::span<const Parked> portion, Carrier* carrier) {
    std::map<std::string, std::vector<const Parked*>> by_task;
    {
      WEIR_TRY(const auto reader, open_reader(config_, state_));
      for (const Parked& one : portion) {
        const std::uint64_t count = dropped_of(one);
        WEIR_TRY(const bool is_same, print(*reader, one, count, options_.format));
        if (is_same) {
          by_task[one.task].push_back(&one);
        } else {
          note(one, ParkedOutcome::moved);
        }
      }
    }
    flush_data();
    if (carrier == nullptr) {
      for (const auto& [task, keys] : by_task) {
        for (const Parked* one : keys) note(*one, ParkedOutcome::done);
      }
      return {};
    }
    ParkedCommand command;
    for (const auto& [task, keys] : by_task) {
      TaskOrders& orders = command.emplace_back();
      orders.task = task;
      for (const Parked* one : keys) {
        orders.orders.push_back(
            {one->number, one->key.since_ms(), one->key.first(), dropped_of(*one)});
      }
    }
    WEIR_TRY(const auto answers, carrier->carry_out(command));
    for (const ParkedAnswer& answer : answers) {
      if (!answer.failed.empty()) not_done_.push_back(answer.failed);
      const std::vector<const Parked*>& keys = by_task[answer.task];
      for (std::size_t i = 0; i < answer.outcomes.size() && i < keys.size(); ++i) {
        note(*keys[i], answer.outcomes[i]);
      }
    }
    return {};
  }

  void note(const Parked& one, ParkedOutcome outcome) {
    switch (outcome) {
      case ParkedOutcome::done:
        ++keys_;
        records_ += drop_ ? dropped_of(one) : record_count(one);
        break;
      case ParkedOutcome::gone:
        not_done_.push_back(
            fmt::format("the key {} of resolver {} waits no more: it was handled "
                        "meanwhile",
                        name_of(one.key), one.key.resolver()));
        break;
      case ParkedOutcome::moved:
        not_done_.push_back(
            fmt::format("the key {} of resolver {} has gone on meanwhile: nothing "
                        "of it was dropped",
                        name_of(one.key), one.key.resolver()));
        break;
    }
  }

  void sum_up(bool beside_a_host) const {
    const std::string what =
        fmt::format("{} of {}", counted(records_, "record"), counted(keys_, "key"));
    if (drop_) {
      say("{} {}", what, options_.dry_run ? "would be dropped" : "dropped");
    } else if (options_.dry_run) {
      say("{} would be tried", what);
    } else {
      say("{} {} tried {}", what, records_ == 1 ? "is" : "are",
          beside_a_host ? "now" : "when the host runs");
    }
  }

  const ParkedOptions& options_;
  const Config& config_;
  std::filesystem::path state_;
  bool drop_;
  std::uint64_t keys_ = 0;
  std::uint64_t records_ = 0;
  std::vector<std::string> not_done_;
};

ExitCode change(const ParkedOptions& options, bool drop) {
  const auto run = [&]() -> Result<ExitCode> {
    if (options.config.empty()) return error(Errc::usage, "say which app: -c app.yaml");
    if (options.all == !options.keys.empty()) {
      return error(Errc::usage, "say which: the keys, or --all");
    }
    WEIR_TRY(const auto config, Config::load(options.config));
    return Change(options, config, config.resolve_path(config.app().state().path()), drop).run();
  };
  const auto code = run();
  return code ? *code : fail(code.error());
}

}  // namespace

ExitCode command_parked_retry(const ParkedOptions& options) { return change(options, false); }
ExitCode command_parked_drop(const ParkedOptions& options) { return change(options, true); }

}  // namespace weir::host
