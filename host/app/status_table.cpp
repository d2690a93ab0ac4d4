#include "app/status_table.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace weir::host {
namespace {

using json = nlohmann::ordered_json;
using Row = std::vector<std::string>;

constexpr std::string_view unknown = "?";

std::string number(const json& value) {
  return value.is_null() ? std::string(unknown) : value.dump();
}

std::string duration(const json& value) {
  return value.is_null() ? std::string(unknown) : readable_seconds(value.get<double>());
}

std::string set_aside(const json& counts) {
  std::vector<std::string> parts;
  for (const auto& [reason, count] : counts.items()) {
    if (count.get<std::uint64_t>() != 0)
      parts.push_back(fmt::format("{} {}", reason, count.dump()));
  }
  return parts.empty() ? "-" : fmt::format("{}", fmt::join(parts, ", "));
}

std::string times(const json& measured) {
  if (measured.at("count").get<std::uint64_t>() == 0) return "-";
  return duration(measured.at("p50")) + " / " + duration(measured.at("p99"));
}

Row row_of(const json& task) {
  const json& last = task.at("last_commit_seconds_ago");
  return {task.at("source").get<std::string>(), number(task.at("partition")),
          task.at("state").get<std::string>(),  number(task.at("position")),
          number(task.at("lag_records")),       duration(task.at("lag_seconds")),
          number(task.at("records")),           set_aside(task.at("set_aside")),
          times(task.at("commit_seconds")),     last.is_null() ? "-" : duration(last) + " ago"};
}

/// Columns as wide as their widest cell; numbers are not set apart, the table is for reading.
std::string aligned(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths(rows.front().size(), 0);
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) line += fmt::format("{:<{}}  ", row[i], widths[i]);
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  return out;
}

std::string text_of(const json& status) {
  const bool ready = status.at("ready").get<bool>();
  const std::string app = status.at("app").get<std::string>();
  std::string out = fmt::format(
      "{}weir {} (abi {}), pid {}, up {}: {}\n", app.empty() ? "" : fmt::format("app {}, ", app),
      status.at("version").get<std::string>(), status.at("abi").get<std::string>(),
      status.at("pid").dump(), duration(status.at("uptime_seconds")),
      ready ? "ready" : "not ready");
  for (const json& reason : status.at("not_ready_because")) {
    out += fmt::format("  {}\n", reason.get<std::string>());
  }
  if (const json& log = status.at("log"); !log.is_null()) {
    const std::string trouble = log.at("trouble").get<std::string>();
    if (ready && !trouble.empty()) out += fmt::format("  log: {}\n", trouble);
    const std::string summary = log.at("summary").get<std::string>();
    if (!summary.empty()) out += fmt::format("log {}\n", summary);
  }
  for (const json& plugin : status.at("plugins")) {
    out += fmt::format(
        "plugin {} {} (sha256 {:.12}){}{}\n", plugin.at("plugin").get<std::string>(),
        plugin.at("version").get<std::string>(), plugin.at("sha256").get<std::string>(),
        plugin.at("in_probation").get<bool>() ? ", in its probation" : "",
        plugin.at("loaded").is_null()
            ? ""
            : fmt::format(", {} is loaded and waits", plugin.at("loaded").get<std::string>()));
  }
  if (status.at("tasks").empty()) return out;
  std::vector<Row> rows{{"SOURCE", "PARTITION", "STATE", "POSITION", "LAG", "BEHIND", "RECORDS",
                         "SET ASIDE", "COMMIT P50 / P99", "LAST COMMIT"}};
  for (const json& task : status.at("tasks")) rows.push_back(row_of(task));
  return out + '\n' + aligned(rows);
}

}  // namespace

Result<StatusTable> StatusTable::read(std::string_view text) {
  try {
    const json status = json::parse(text);
    StatusTable table;
    table.ready_ = status.at("ready").get<bool>();
    table.text_ = text_of(status);
    return table;
  } catch (const json::exception& wrong) {
    return error(Errc::invalid,
                 "the host's answer does not fit this version of `weir` ({}); use the one that the "
                 "host was started with, or --format json",
                 wrong.what());
  }
}

std::string readable_seconds(double seconds) {
  if (seconds < 0.9995) return fmt::format("{:.3g} ms", seconds * 1000);
  if (seconds < 59.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::uint64_t>(std::llround(seconds));
  if (whole < 3600) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
  if (whole < 86400) return fmt::format("{}h{:02}m", whole / 3600, whole / 60 % 60);
  return fmt::format("{}d{:02}h", whole / 86400, whole / 3600 % 24);
}

}  // namespace weir::host
