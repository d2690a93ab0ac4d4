#include "bench/line_case.hpp"

#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include <fmt/format.h>

#include "line.pb.h"
#include "log/embedded_log.hpp"
#include "unique_ips.pb.h"

namespace weir::host::bench {

namespace {

constexpr std::size_t append_records = 5000;
constexpr std::uint64_t ip_count = 65'536;

KeyValue click(std::uint64_t user, std::uint64_t noise, bool json) {
  line::Click click;
  click.set_user_id(fmt::format("user-{:08}", user));
  click.set_page(fmt::format("/shop/{:06}", noise % 1'000'000));
  click.set_referrer("/search");
  click.set_at_ms(1'767'225'600'000 + static_cast<std::int64_t>(noise % 86'400'000));
  click.set_country("DE");
  click.set_dwell_ms(static_cast<std::int32_t>(noise % 10'000));
  if (!json) return {click.user_id(), click.SerializeAsString()};
  return {click.user_id(), fmt::format(R"({{"userId":"{}","page":"{}","referrer":"{}","atMs":{},)"
                                       R"("country":"{}","dwellMs":{}}})",
                                       click.user_id(), click.page(), click.referrer(),
                                       click.at_ms(), click.country(), click.dwell_ms())};
}

KeyValue visit(std::uint64_t user, std::uint64_t noise, bool json) {
  unique_ips::Visit visit;
  visit.set_user_id(fmt::format("user-{:08}", user));
  visit.set_ip(fmt::format("10.{}.{}.7", noise % ip_count / 256, noise % 256));
  if (!json) return {visit.user_id(), visit.SerializeAsString()};
  return {visit.user_id(),
          fmt::format(R"({{"userId":"{}","ip":"{}"}})", visit.user_id(), visit.ip())};
}

}  // namespace

KeyValue make_record(const Case& one, std::uint64_t user, std::uint64_t noise) {
  const bool json = one.format == Format::Kind::json;
  return one.work == Case::Work::count ? click(user, noise, json) : visit(user, noise, json);
}

std::string Case::name() const {
  return fmt::format("{} {}{} {}", work == Work::count ? "count" : "unique-ips",
                     format == Format::Kind::json ? "json" : "protobuf",
                     features ? " features" : "",
                     commit_ms % 1000 == 0 ? fmt::format("{}s", commit_ms / 1000)
                                           : fmt::format("{}ms", commit_ms));
}

std::string Case::topic() const {
  return fmt::format("{}-{}", work == Work::count ? "clicks" : "visits",
                     format == Format::Kind::json ? "json" : "protobuf");
}

std::string Case::plugin() const { return work == Work::count ? "line" : "unique_ips"; }

std::string Case::resolver() const {
  if (work == Work::unique_ips) return "count_ips";
  return features ? "count_and_tell" : "count";
}

std::string Case::message() const {
  return work == Work::count ? "line.Click" : "unique_ips.Visit";
}

void fail(const Error& error) {
  fmt::print(stderr, "bench_line: {}\n", error.message);
  std::exit(1);
}

void or_fail(const Result<void>& result) {
  if (!result) fail(result.error());
}

std::unique_ptr<Log> open_log(const Setting& setting) {
  return or_fail(EmbeddedLog::open({.directory = setting.directory / "log"}));
}

double fill(const Setting& setting, const Case& one) {
  const auto log = open_log(setting);
  const std::string topic = one.topic();
  or_fail(log->create_topic(topic, 1));
  auto at = static_cast<std::uint64_t>(or_fail(log->offsets({topic, 0})).end);
  std::mt19937_64 random(setting.seed + at);
  std::uint64_t bytes = 0;
  std::uint64_t count = 0;
  while (at < setting.record_count || count == 0) {
    std::vector<KeyValue> values;
    std::vector<NewRecord> records;
    for (std::size_t i = 0; i < append_records; ++i) {
      const std::uint64_t user = random() % setting.key_count;
      values.push_back(make_record(one, user, random()));
    }
    for (const KeyValue& value : values) {
      records.push_back({.topic = topic,
                         .partition = 0,
                         .key = value.key,
                         .value = value.value,
                         .headers = {},
                         .timestamp_ms = 1'767'225'600'000 + static_cast<std::int64_t>(at++)});
      bytes += value.value.size();
      ++count;
    }
    if (at - append_records < setting.record_count) or_fail(log->append(records));
  }
  return static_cast<double>(bytes) / static_cast<double>(count);
}

std::filesystem::path plugin_path(const Case& one) {
  return std::filesystem::path(one.work == Case::Work::count ? WEIR_BENCH_LINE_PLUGIN
                                                             : WEIR_BENCH_UNIQUE_IPS_PLUGIN);
}

}  // namespace weir::host::bench
