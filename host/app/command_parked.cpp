#include "app/command_parked.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <set>

#include "app/app_parts.hpp"
#include "app/record_line.hpp"
#include "base/counted.hpp"
#include "commit/state_directory.hpp"
#include "commit/state_reader.hpp"
#include "config/config.hpp"
#include "config/values.hpp"
#include "task/parked_view.hpp"

namespace weir::host {
namespace {

MaybeBytes key_of(const v1::ParkedKey& key) {
  return key.has_key() ? MaybeBytes(std::string_view(key.key())) : std::nullopt;
}

std::string name_of(const v1::ParkedKey& key) {
  return key.has_key() ? readable(key.key(), 40) : "(no key)";
}

std::string next_try(const v1::ParkedKey& key) {
  if (!key.has_due_ms()) return "when told to";
  return key.due_ms() == 0 ? "at the next run" : format_time_ms(key.due_ms());
}

Result<ExitCode> list(const ParkedOptions& options) {
  if (options.config.empty() == options.directory.empty()) {
    return error(Errc::usage,
                 "say where the State is: -c app.yaml, or --state and the state directory");
  }
  std::filesystem::path state = options.directory;
  if (state.empty()) {
    WEIR_TRY(const auto config, Config::load(options.config));
    state = config.resolve_path(config.app().state().path());
  }
  WEIR_TRY(const auto reader, StateReader::open(state));
  WEIR_TRY(const auto found, reader->parked());
  if (options.format == OutputFormat::text) {
    say("{:<16} {:<24} {:>8} {:>10} {:>5} {:<24} {:<16} {}", "RESOLVER", "KEY", "RECORDS", "BYTES",
        "TRIES", "NEXT TRY", "TASK", "REASON");
  }
  std::uint64_t keys = 0;
  std::uint64_t records = 0;
  for (const auto& [task, key] : found) {
    if (!options.resolver.empty() && key.resolver() != options.resolver) continue;
    ++keys;
    const std::uint64_t count = key.next() - key.first();
    records += count;
    if (options.format == OutputFormat::text) {
      print_line(fmt::format("{:<16} {:<24} {:>8} {:>10} {:>5} {:<24} {:<16} {}", key.resolver(),
                             name_of(key), count, key.bytes(), key.attempts(), next_try(key), task,
                             readable(key.reason())));
      continue;
    }
    print_line(fmt::format(
        R"({{"resolver":{},{},"task":{},"records":{},"bytes":{},"attempts":{},"due_ms":{},)"
        R"("since_ms":{},"offset":{},"reason":{}}})",
        json_string(key.resolver()), json_bytes("key", key_of(key)), json_string(task), count,
        key.bytes(), key.attempts(), key.has_due_ms() ? fmt::format("{}", key.due_ms()) : "null",
        key.since_ms(), key.offset(), json_string(key.reason())));
  }
  say("{} of {} wait", counted(records, "record"), counted(keys, "key"));
  return ExitCode::ok;
}

/// The tasks of a host that does not run, for changes of what waits in them.
class StoppedTasks {
 public:
  static Result<StoppedTasks> open(const ParkedOptions& options) {
    if (options.config.empty()) return error(Errc::usage, "say which app: -c app.yaml");
    if (options.all == !options.keys.empty()) {
      return error(Errc::usage, "say which: the keys, or --all");
    }
    StoppedTasks out;
    WEIR_TRY(const auto config, Config::load(options.config));
    const std::filesystem::path state = config.resolve_path(config.app().state().path());
    if (const auto holder = StateDirectory::holder(state)) {
      return error(Errc::refused,
                   "{} has the state directory {} open; stop it first, change what waits, and "
                   "start it again",
                   *holder, state.string());
    }
    std::vector<std::string> warnings;
    WEIR_TRY(out.directory_, StateDirectory::lock(state, config.app().app(), warnings));
    for (const std::string& warning : warnings) say("{}", warning);
    std::vector<std::string> names;
    std::error_code code;
    for (std::filesystem::directory_iterator at(StateDirectory::tasks_in(state), code), end;
         !code && at != end; at.increment(code)) {
      std::error_code ignored;
      if (!std::filesystem::exists(at->path() / "data.mdb", ignored)) continue;
      names.push_back(at->path().filename().string());
    }
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) {
      WEIR_TRY(auto store, TaskStore::open(store_options(config.app(), state, name)));
      out.tasks_.push_back({name, std::move(store)});
    }
    return out;
  }

  /// Calls `change` for the keys that the options name; what it makes of one is stored, task by
  /// task. Errc::not_found: one of them does not wait; then nothing was called.
  struct Chosen {
    TaskStore& store;
    StoredParkedKey key;
    bool ends = false;  ///< set: nothing of it waits any more
  };
  Result<std::uint64_t> change(const ParkedOptions& options,
                               const std::function<Result<void>(Chosen&)>& change) {
    std::set<std::string> missing(options.keys.begin(), options.keys.end());
    std::vector<Chosen> chosen;
    for (const Task& task : tasks_) {
      WEIR_TRY(auto keys, task.store->parked_keys());
      for (StoredParkedKey& key : keys) {
        if (!options.resolver.empty() && key.key.resolver() != options.resolver) continue;
        const bool named = key.key.has_key() && std::ranges::count(options.keys, key.key.key()) > 0;
        if (!options.all && !named) continue;
        missing.erase(key.key.key());
        chosen.push_back({*task.store, std::move(key)});
      }
    }
    if (!missing.empty()) {
      return error(Errc::not_found,
                   "the key {} does not wait{}; weir parked list shows those that do",
                   readable(*missing.begin()),
                   options.resolver.empty() ? "" : " in resolver " + options.resolver);
    }
    for (Chosen& one : chosen) WEIR_CHECK(change(one));
    for (const Task& task : tasks_) {
      std::vector<ParkedChange> changes;
      for (const Chosen& one : chosen) {
        if (&one.store != task.store.get()) continue;
        changes.push_back(
            {one.key.number, one.ends ? nullptr : &one.key.key, one.key.key.next(), {}});
      }
      if (changes.empty() || options.dry_run) continue;
      WEIR_CHECK(task.store->change_parked(changes));
    }
    return chosen.size();
  }

 private:
  struct Task {
    std::string name;
    std::unique_ptr<TaskStore> store;
  };
  std::unique_ptr<StateDirectory> directory_;
  std::vector<Task> tasks_;
};

/// As for the first time, at the next opportunity.
void make_due(v1::ParkedKey& key) {
  key.set_due_ms(0);
  key.set_attempts(0);
}

Result<ExitCode> retry(const ParkedOptions& options) {
  WEIR_TRY(StoppedTasks tasks, StoppedTasks::open(options));
  WEIR_TRY(const std::uint64_t count, tasks.change(options, [](StoppedTasks::Chosen& one) {
    make_due(one.key.key);
    return Result<void>{};
  }));
  say("{} {} tried when the host runs", counted(count, "key"),
      options.dry_run ? "would be"
      : count == 1    ? "is"
                      : "are");
  return ExitCode::ok;
}

void print_dropped(const v1::ParkedKey& key, const v1::ParkedRecord& record, std::int32_t partition,
                   OutputFormat format) {
  if (format == OutputFormat::text) {
    print_line(fmt::format("{:<16} {:<24} offset {:<10} {}", key.resolver(), name_of(key),
                           record.offset(), format_time_ms(record.timestamp_ms())));
    return;
  }
  const ParkedView view({&record, 1});
  print_line(record_line(partition, view.records.front(), std::nullopt));
}

Result<ExitCode> drop(const ParkedOptions& options) {
  WEIR_TRY(StoppedTasks tasks, StoppedTasks::open(options));
  std::uint64_t records = 0;
  const auto drop_one = [&](StoppedTasks::Chosen& one) -> Result<void> {
    v1::ParkedKey& key = one.key.key;
    std::uint64_t left = options.whole ? key.next() - key.first() : 1;
    while (left > 0) {
      WEIR_TRY(const auto some,
               one.store.parked_records(
                   one.key, key.first(),
                   {.records = static_cast<std::size_t>(std::min<std::uint64_t>(left, 256))}));
      for (const v1::ParkedRecord& record : some) {
        print_dropped(key, record, one.store.head()->inputs(0).partition(), options.format);
        key.set_bytes(key.bytes() - record.ByteSizeLong());
      }
      key.set_first(key.first() + some.size());
      left -= some.size();
      records += some.size();
    }
    one.ends = key.first() == key.next();
    make_due(key);
    return {};
  };
  WEIR_TRY(const std::uint64_t keys, tasks.change(options, drop_one));
  say("{} of {} {}", counted(records, "record"), counted(keys, "key"),
      options.dry_run ? "would be dropped" : "dropped");
  return ExitCode::ok;
}

ExitCode finish(const Result<ExitCode>& result) {
  if (result) return *result;
  return fail(result.error());
}

}  // namespace

ExitCode command_parked_list(const ParkedOptions& options) { return finish(list(options)); }
ExitCode command_parked_retry(const ParkedOptions& options) { return finish(retry(options)); }
ExitCode command_parked_drop(const ParkedOptions& options) { return finish(drop(options)); }

}  // namespace weir::host
