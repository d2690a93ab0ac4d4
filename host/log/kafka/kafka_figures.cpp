#include "log/kafka/kafka_figures.hpp"

#include <algorithm>
#include <set>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/counted.hpp"

namespace weir::host {
namespace {

using Kind = LogFigure::Kind;
using Labels = std::vector<std::pair<std::string, std::string>>;

/// All connections of one role to one broker.
struct Link {
  bool is_needed = false;
  bool is_up = true;  ///< every one that is needed
  std::int64_t in_flight = 0;
  std::int64_t queued = 0;
  double round_trip_p99_seconds = 0;
  double throttle_seconds = 0;
  KafkaCounters counters;

  void add(const KafkaStatistics::Connection& one) {
    counters += one.counters;
    in_flight += one.in_flight;
    queued += one.queued;
    round_trip_p99_seconds = std::max(round_trip_p99_seconds, one.round_trip_p99_seconds);
    throttle_seconds = std::max(throttle_seconds, one.throttle_seconds);
    if (!one.is_needed) return;
    is_needed = true;
    is_up = is_up && one.is_up;
  }
};

using Links = std::map<std::pair<KafkaRole, std::string>, Link>;

std::string name_of(KafkaRole role) {
  return role == KafkaRole::producer ? "producer" : "consumer";
}

double to_double(std::uint64_t value) { return static_cast<double>(value); }
double to_double(std::int64_t value) { return static_cast<double>(value); }

void add_gauge(LogHealth& out, const char* name, const char* help, Labels labels, double value) {
  out.figures.push_back({name, help, Kind::gauge, std::move(labels), value});
}

void add_counter(LogHealth& out, const char* name, const char* help, Labels labels,
                 std::uint64_t value) {
  out.figures.push_back({name, help, Kind::counter, std::move(labels), to_double(value)});
}

void add_link(LogHealth& out, const Labels& labels, const Link& link) {
  if (link.is_needed) {
    add_gauge(out, "weir_log_broker_up",
              "1 where every needed connection to the broker stands, else 0", labels,
              link.is_up ? 1 : 0);
  }
  add_gauge(out, "weir_log_round_trip_p99_seconds",
            "From a request to its answer, 99th percentile of the last second", labels,
            link.round_trip_p99_seconds);
  add_gauge(out, "weir_log_throttle_seconds",
            "The longest wait that the broker asked for in the last second", labels,
            link.throttle_seconds);
  add_gauge(out, "weir_log_requests_in_flight", "Requests without an answer yet", labels,
            to_double(link.in_flight));
  add_gauge(out, "weir_log_requests_queued", "Requests that wait to be sent", labels,
            to_double(link.queued));
  const KafkaCounters& of = link.counters;
  add_counter(out, "weir_log_requests_total", "Requests that were sent", labels, of.requests);
  add_counter(out, "weir_log_request_retries_total", "Requests that were sent again", labels,
              of.retries);
  add_counter(out, "weir_log_request_timeouts_total", "Requests that were not answered in time",
              labels, of.timeouts);
  add_counter(out, "weir_log_send_errors_total", "Failures to send", labels, of.send_errors);
  add_counter(out, "weir_log_receive_errors_total", "Failures to receive", labels,
              of.receive_errors);
  add_counter(out, "weir_log_sent_bytes_total", "Bytes that were sent", labels, of.sent_bytes);
  add_counter(out, "weir_log_received_bytes_total", "Bytes that were received", labels,
              of.received_bytes);
  add_counter(out, "weir_log_disconnects_total", "Connections that were closed", labels,
              of.disconnects);
}

void add_consumer(LogHealth& out, const KafkaStatistics& client) {
  for (const KafkaStatistics::Partition& one : client.partitions) {
    const Labels labels{{"topic", one.partition.topic},
                        {"partition", std::to_string(one.partition.partition)}};
    add_gauge(out, "weir_log_fetch_queue_records", "Records that were fetched and not taken yet",
              labels, to_double(one.queued_records));
    add_gauge(out, "weir_log_fetch_queue_bytes", "Their bytes", labels,
              to_double(one.queued_bytes));
    if (one.end) out.ends[one.partition] = *one.end;
  }
  if (!client.group) return;
  const KafkaStatistics::Group& group = *client.group;
  add_gauge(out, "weir_log_group_member", "1 where the host has its part of the group, else 0", {},
            group.is_steady ? 1 : 0);
  add_gauge(out, "weir_log_group_partitions", "Partitions that the group gave to the host", {},
            to_double(group.partition_count));
  add_counter(out, "weir_log_rebalances_total", "Rebalances of the group that the host saw", {},
              group.rebalances);
  add_gauge(out, "weir_log_rebalance_age_seconds", "Since the newest rebalance", {},
            group.rebalance_age_seconds);
}

/// What a person wants to know of the brokers.
std::string summary_of(const Links& links) {
  std::set<std::string> brokers;
  std::set<std::string> away;
  double round_trip = 0;
  double throttle = 0;
  for (const auto& [name, link] : links) {
    const auto& [role, broker] = name;
    throttle = std::max(throttle, link.throttle_seconds);
    if (role == KafkaRole::producer) round_trip = std::max(round_trip, link.round_trip_p99_seconds);
    if (!link.is_needed || broker == "bootstrap") continue;
    if (broker != "coordinator") brokers.insert(broker);
    if (!link.is_up) away.insert(broker);
  }
  std::string out = brokers.empty() ? "no broker connected" : counted(brokers.size(), "broker");
  if (!away.empty()) {
    out += fmt::format(", not connected: {}", fmt::join(away, ", "));
  } else if (!brokers.empty()) {
    out += " connected";
  }
  if (round_trip > 0) out += fmt::format(", writes answered in {:.3g} ms (p99)", round_trip * 1e3);
  if (throttle > 0) out += fmt::format(", throttled for up to {:.3g} ms", throttle * 1e3);
  return out;
}

std::string summary_of(const KafkaStatistics::Group& group) {
  return fmt::format("; group {}, {}, {}", group.state, counted(group.partition_count, "partition"),
                     counted(group.rebalances, "rebalance"));
}

}  // namespace

std::unique_ptr<KafkaFigures::Source> KafkaFigures::add(KafkaRole role) {
  std::unique_ptr<Source> source(new Source(*this));
  const std::lock_guard lock(mutex_);
  said_[source.get()] = Said{.role = role, .number = next_number_++};
  return source;
}

KafkaFigures::Source::~Source() {
  const std::lock_guard lock(figures_.mutex_);
  const auto said = figures_.said_.find(this);
  if (said->second.json != nullptr) {
    if (const auto last = parse_kafka_statistics(*said->second.json)) {
      for (const auto& connection : last->connections) {
        figures_.gone_[{said->second.role, connection.broker}] += connection.counters;
      }
    }
  }
  figures_.said_.erase(said);
}

void KafkaFigures::Source::update(std::string json) {
  auto kept = std::make_shared<const std::string>(std::move(json));
  const std::lock_guard lock(figures_.mutex_);
  Said& said = figures_.said_.at(this);
  said.json = std::move(kept);
  said.at = std::chrono::steady_clock::now();
}

void KafkaFigures::report(LogHealth& health) const {
  std::vector<Said> all;
  Gone gone;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [source, said] : said_) {
      if (said.json != nullptr) all.push_back(said);
    }
    gone = gone_;
  }
  if (all.empty()) return;
  Links links;
  for (const auto& [name, counters] : gone) links[name].counters += counters;
  std::uint64_t consumer = 0;  // the one that has not been replaced
  for (const Said& said : all) {
    if (said.role == KafkaRole::consumer) consumer = std::max(consumer, said.number);
  }
  std::map<KafkaRole, double> ages;
  std::string group;
  std::int64_t queued_records = 0;
  std::int64_t queued_bytes = 0;
  for (const Said& said : all) {
    const auto read = parse_kafka_statistics(*said.json);
    if (!read) continue;
    if (said.role == KafkaRole::consumer && said.number != consumer) {
      for (const auto& one : read->connections) {
        links[{said.role, one.broker}].counters += one.counters;
      }
      continue;
    }
    const std::chrono::duration<double> age = std::chrono::steady_clock::now() - said.at;
    ages[said.role] = std::max(ages[said.role], age.count());
    for (const auto& one : read->connections) links[{said.role, one.broker}].add(one);
    queued_records += read->queued_records;
    queued_bytes += read->queued_bytes;
    if (said.role == KafkaRole::consumer) add_consumer(health, *read);
    if (read->group) group = summary_of(*read->group);
  }
  for (const auto& [name, link] : links) {
    add_link(health, {{"client", name_of(name.first)}, {"broker", name.second}}, link);
  }
  for (const auto& [role, age] : ages) {
    add_gauge(health, "weir_log_client_age_seconds",
              "Since a client of the log last told its figures", {{"client", name_of(role)}}, age);
  }
  add_gauge(health, "weir_log_producer_queue_records",
            "Records that wait for the broker to acknowledge them", {}, to_double(queued_records));
  add_gauge(health, "weir_log_producer_queue_bytes", "Their bytes", {}, to_double(queued_bytes));
  health.summary = summary_of(links) + group;
}

std::string KafkaFigures::newest(KafkaRole role) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [source, said] : said_) {
    if (said.role == role && said.json != nullptr) return *said.json;
  }
  return {};
}

}  // namespace weir::host
