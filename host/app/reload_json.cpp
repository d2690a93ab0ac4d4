#include "app/reload_json.hpp"

#include <array>

#include <nlohmann/json.hpp>

#include "base/counted.hpp"

namespace weir::host {

namespace {

using json = nlohmann::ordered_json;
using What = ReloadRequest::What;

constexpr std::array<std::string_view, 5> words{"reload", "dry_run", "load", "activate",
                                                "rollback"};

json to_json(const v1::Generation& generation) {
  return {{"version", generation.version()},
          {"sha256", generation.sha256()},
          {"build_id", generation.build_id()},
          {"file", generation.file()}};
}

json to_json(const ReloadReport& report) {
  return {{"plugin", report.plugin},
          {"outcome", word_of(report.outcome)},
          {"before", to_json(report.before)},
          {"after", to_json(report.after)},
          {"state_changes", report.state_changes},
          {"checked", report.checked},
          {"tasks", report.tasks},
          {"longest_pause_us", report.longest_pause_us},
          {"probation_ms", report.probation_ms}};
}

json to_json(const Refusal& refusal) {
  return {{"plugin", refusal.plugin},      {"outcome", "refused"}, {"step", name_of(refusal.step)},
          {"code", name_of(refusal.code)}, {"text", refusal.text}, {"running", refusal.running}};
}

std::string named(const json& generation) {
  return fmt::format("{} (sha256 {:.12})", generation.at("version").get<std::string>(),
                     generation.at("sha256").get<std::string>());
}

void add_lines(std::string& out, std::string_view title, const json& lines) {
  for (const json& line : lines) {
    out += fmt::format("  {:<8} {}\n", title, line.get<std::string>());
    title = "";
  }
}

std::string text_of(const json& answer) {
  const auto plugin = answer.at("plugin").get<std::string>();
  const auto outcome = answer.at("outcome").get<std::string>();
  const std::string before = named(answer.at("before"));
  const std::string after = named(answer.at("after"));
  if (outcome == "unchanged") return fmt::format("plugin {}: {} runs already\n", plugin, after);
  std::string out;
  if (outcome == "checked") {
    out = fmt::format("plugin {}: {} can take the place of {}\n", plugin, after, before);
  } else if (outcome == "loaded") {
    out = fmt::format("plugin {}: {} is loaded and waits; {} runs\n", plugin, after, before);
  } else {
    out = fmt::format("plugin {}: {} runs in the place of {}\n", plugin, after, before);
  }
  add_lines(out, "State", answer.at("state_changes"));
  add_lines(out, "checked", answer.at("checked"));
  const auto tasks = answer.at("tasks").get<std::uint64_t>();
  if (tasks > 0) {
    out += fmt::format("  {:<8} {}, the longest pause was {} us\n", "swapped",
                       counted(tasks, "task"), answer.at("longest_pause_us").dump());
  }
  if (const auto ms = answer.at("probation_ms").get<std::int64_t>(); ms > 0) {
    out += fmt::format(
        "  {:<8} for {} s: until then it goes back by itself where it fails, and a "
        "restart loads {}\n",
        "watched", ms / 1000, before);
  }
  return out;
}

}  // namespace

std::string reload_request_json(const ReloadCommand& command) {
  const ReloadRequest& one = command.one;
  return json{{"every", command.every}, {"what", words.at(static_cast<std::size_t>(one.what))},
              {"plugin", one.plugin},   {"file", one.file.string()},
              {"sha256", one.sha256},   {"timeout_ms", one.timeout.count()}}
      .dump();
}

Result<ReloadCommand> read_reload_request(std::string_view text) {
  try {
    const json request = json::parse(text);
    ReloadCommand command;
    command.every = request.value("every", false);
    const auto word = request.value("what", std::string("reload"));
    std::size_t what = 0;
    while (what < words.size() && words.at(what) != word) ++what;
    if (what == words.size()) return error(Errc::invalid, "\"what\" is none of the requests");
    command.one.what = static_cast<What>(what);
    command.one.plugin = request.value("plugin", std::string());
    command.one.file = request.value("file", std::string());
    command.one.sha256 = request.value("sha256", std::string());
    command.one.timeout = std::chrono::milliseconds(
        request.value("timeout_ms", static_cast<std::int64_t>(command.one.timeout.count())));
    return command;
  } catch (const json::exception& wrong) {
    return error(Errc::invalid, "this is not a request: {}", wrong.what());
  }
}

std::string migrate_request_json(const MigrateRequest& request) {
  return json{{"plugin", request.plugin}, {"begin", request.begin}}.dump();
}

Result<MigrateRequest> read_migrate_request(std::string_view text) {
  try {
    const json request = json::parse(text);
    return MigrateRequest{request.value("plugin", std::string()), request.value("begin", true)};
  } catch (const json::exception& wrong) {
    return error(Errc::invalid, "this is not a request: {}", wrong.what());
  }
}

std::string migrate_answer_json(const MigrateAnswer& answer) {
  json out;
  if (const auto* refusal = std::get_if<Refusal>(&answer)) {
    out = to_json(*refusal);
  } else {
    const auto& progress = std::get<Migration::Progress>(answer);
    out = {{"plugin", progress.plugin},   {"version", progress.version},
           {"tasks", progress.tasks},     {"tasks_done", progress.tasks_done},
           {"visited", progress.visited}, {"migrated", progress.migrated},
           {"failed", progress.failed},   {"failures", progress.failures},
           {"gave_up", progress.gave_up}};
  }
  return out.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

Result<MigrateAnswer> read_migrate_answer(std::string_view text) {
  try {
    const json said = json::parse(text);
    if (said.contains("outcome")) {
      return MigrateAnswer(Refusal{ReloadStep::request, ReloadCode::unknown_plugin,
                                   said.at("text").get<std::string>()});
    }
    Migration::Progress out;
    said.at("plugin").get_to(out.plugin);
    said.at("version").get_to(out.version);
    said.at("tasks").get_to(out.tasks);
    said.at("tasks_done").get_to(out.tasks_done);
    said.at("visited").get_to(out.visited);
    said.at("migrated").get_to(out.migrated);
    said.at("failed").get_to(out.failed);
    said.at("failures").get_to(out.failures);
    said.at("gave_up").get_to(out.gave_up);
    return MigrateAnswer(std::move(out));
  } catch (const json::exception& wrong) {
    return error(Errc::invalid,
                 "the host's answer does not fit this version of `weir` ({}); use the one that the "
                 "host was started with",
                 wrong.what());
  }
}

std::string reload_answers_json(const std::vector<ReloadAnswer>& answers) {
  json out = json::array();
  for (const ReloadAnswer& answer : answers) {
    out.push_back(std::visit([](const auto& one) { return to_json(one); }, answer));
  }
  return json{{"answers", std::move(out)}}.dump(2, ' ', false, json::error_handler_t::replace) +
         "\n";
}

Result<ReloadText> read_reload_answers(std::string_view text) {
  try {
    ReloadText out;
    const json said = json::parse(text);
    for (const json& answer : said.at("answers")) {
      if (answer.at("outcome") != "refused") {
        out.done += text_of(answer);
        continue;
      }
      const auto plugin = answer.at("plugin").get<std::string>();
      out.refused += fmt::format(
          "{}refused at the step {} ({}): {}\n{}", plugin.empty() ? "" : "plugin " + plugin + ": ",
          answer.at("step").get<std::string>(), answer.at("code").get<std::string>(),
          answer.at("text").get<std::string>(),
          plugin.empty() ? ""
                         : fmt::format("{} runs on\n", answer.at("running").get<std::string>()));
    }
    return out;
  } catch (const json::exception& wrong) {
    return error(Errc::invalid,
                 "the host's answer does not fit this version of `weir` ({}); use the one that the "
                 "host was started with, or --format json",
                 wrong.what());
  }
}

}  // namespace weir::host
