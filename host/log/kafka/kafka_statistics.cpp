#include "log/kafka/kafka_statistics.hpp"

#include <algorithm>

#include <simdjson.h>

namespace weir::host {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

std::int64_t integer(const object& in, std::string_view name) {
  std::int64_t out = 0;
  if (in[name].get(out) != simdjson::SUCCESS) return 0;
  return out;
}

std::uint64_t counter(const object& in, std::string_view name) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(integer(in, name), 0));
}

std::string text(const object& in, std::string_view name) {
  std::string_view out;
  if (in[name].get(out) != simdjson::SUCCESS) return {};
  return std::string(out);
}

/// Of one of librdkafka's windows of measurements.
std::int64_t measured(const object& in, std::string_view window, std::string_view name) {
  object values;
  if (in[window].get(values) != simdjson::SUCCESS) return 0;
  return integer(values, name);
}

KafkaStatistics::Connection connection_of(const object& in) {
  KafkaStatistics::Connection out;
  const std::int64_t id = integer(in, "nodeid");
  out.broker = text(in, "source") == "logical" ? "coordinator"
               : id < 0                        ? "bootstrap"
                                               : std::to_string(id);
  const std::string state = text(in, "state");
  out.is_needed = state != "INIT";  // also one that was closed because it was idle
  out.is_up = state == "UP" || state == "UPDATE";
  out.in_flight = integer(in, "waitresp_cnt");
  out.queued = integer(in, "outbuf_cnt");
  out.round_trip_p99_seconds = static_cast<double>(measured(in, "rtt", "p99")) / 1e6;
  out.throttle_seconds = static_cast<double>(measured(in, "throttle", "max")) / 1e3;
  out.counters = {counter(in, "tx"),      counter(in, "txretries"),  counter(in, "req_timeouts"),
                  counter(in, "txerrs"),  counter(in, "rxerrs"),     counter(in, "txbytes"),
                  counter(in, "rxbytes"), counter(in, "disconnects")};
  return out;
}

void add_partitions(const object& topic, KafkaStatistics& out) {
  object partitions;
  if (topic["partitions"].get(partitions) != simdjson::SUCCESS) return;
  for (const auto& entry : partitions) {
    object in;
    bool is_desired = false;
    if (entry.value.get(in) != simdjson::SUCCESS) continue;
    const std::int64_t number = integer(in, "partition");
    if (in["desired"].get(is_desired) != simdjson::SUCCESS || !is_desired || number < 0) continue;
    KafkaStatistics::Partition& added = out.partitions.emplace_back();
    added.partition = {text(topic, "topic"), static_cast<std::int32_t>(number)};
    added.queued_records = integer(in, "fetchq_cnt");
    added.queued_bytes = integer(in, "fetchq_size");
    std::int64_t end = -1;  // unknown to librdkafka is below 0
    if (in["ls_offset"].get(end) == simdjson::SUCCESS && end >= 0) added.end = end;
  }
}

KafkaStatistics::Group group_of(const object& in) {
  KafkaStatistics::Group out;
  out.state = text(in, "join_state");
  out.is_steady = out.state == "steady" && text(in, "state") == "up";
  out.partition_count = integer(in, "assignment_size");
  out.rebalances = counter(in, "rebalance_cnt");
  out.rebalance_age_seconds = static_cast<double>(integer(in, "rebalance_age")) / 1e3;
  return out;
}

}  // namespace

KafkaCounters& KafkaCounters::operator+=(const KafkaCounters& other) {
  requests += other.requests;
  retries += other.retries;
  timeouts += other.timeouts;
  send_errors += other.send_errors;
  receive_errors += other.receive_errors;
  sent_bytes += other.sent_bytes;
  received_bytes += other.received_bytes;
  disconnects += other.disconnects;
  return *this;
}

Result<KafkaStatistics> parse_kafka_statistics(std::string_view json) {
  simdjson::dom::parser parser;
  object all;
  object brokers;
  if (parser.parse(json.data(), json.size()).get(all) != simdjson::SUCCESS ||
      all["brokers"].get(brokers) != simdjson::SUCCESS) {
    return error(Errc::invalid, "librdkafka's statistics are no JSON with brokers ({} bytes)",
                 json.size());
  }
  KafkaStatistics out;
  out.queued_records = integer(all, "msg_cnt");
  out.queued_bytes = integer(all, "msg_size");
  for (const auto& entry : brokers) {
    object broker;
    if (entry.value.get(broker) == simdjson::SUCCESS) {
      out.connections.push_back(connection_of(broker));
    }
  }
  object topics;
  if (all["topics"].get(topics) == simdjson::SUCCESS) {
    for (const auto& entry : topics) {
      object topic;
      if (entry.value.get(topic) == simdjson::SUCCESS) add_partitions(topic, out);
    }
  }
  object group;
  if (all["cgrp"].get(group) == simdjson::SUCCESS) out.group = group_of(group);
  return out;
}

}  // namespace weir::host
