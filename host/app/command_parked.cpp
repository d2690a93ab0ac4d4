#include "app/command_parked.hpp"

#include "app/record_line.hpp"
#include "base/counted.hpp"
#include "commit/state_reader.hpp"
#include "config/config.hpp"
#include "config/values.hpp"

namespace weir::host {
namespace {

MaybeBytes key_of(const v1::ParkedKey& key) {
  return key.has_key() ? MaybeBytes(std::string_view(key.key())) : std::nullopt;
}

std::string next_try(const v1::ParkedKey& key) {
  if (!key.has_due_ms()) return "when told to";
  return key.due_ms() == 0 ? "at once" : format_time_ms(key.due_ms());
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
  for (const auto& [task, number, key] : found) {
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

}  // namespace

std::string name_of(const v1::ParkedKey& key) {
  return key.has_key() ? readable(key.key(), 40) : "(no key)";
}

ExitCode command_parked_list(const ParkedOptions& options) {
  const auto code = list(options);
  return code ? *code : fail(code.error());
}

}  // namespace weir::host
