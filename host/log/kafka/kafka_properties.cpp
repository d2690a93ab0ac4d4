#include "log/kafka/kafka_properties.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "base/bytes.hpp"
#include "log/kafka/kafka_handles.hpp"

namespace weir::host {
namespace {

struct Reserved {
  std::string_view name;
  std::string_view reason;
};

constexpr std::string_view positions = "the host's State says where reading goes on";
constexpr std::string_view exactly_once = "exactly-once output rests on the host's value";
constexpr std::string_view by_brokers = "write log.kafka.brokers";
constexpr std::string_view by_app = "it is derived from the app's name";

constexpr std::array reserved{
    Reserved{"bootstrap.servers", by_brokers},
    Reserved{"metadata.broker.list", by_brokers},
    Reserved{"client.id", by_app},
    Reserved{"group.id", by_app},
    Reserved{"group.instance.id", by_app},
    Reserved{"transactional.id", by_app},
    Reserved{"session.timeout.ms", "write log.kafka.session_timeout"},
    Reserved{"enable.auto.commit", positions},
    Reserved{"auto.commit.enable", positions},
    Reserved{"auto.commit.interval.ms", positions},
    Reserved{"enable.auto.offset.store", positions},
    Reserved{"auto.offset.reset",
             "a position that is gone halts; sources.NAME.start says where the "
             "first run begins"},
    Reserved{"offset.store.method", positions},
    Reserved{"isolation.level", "records of open or aborted transactions are never read"},
    Reserved{"enable.partition.eof", "the host's position rests on it"},
    Reserved{"partition.assignment.strategy", "one host owns every partition"},
    Reserved{"group.protocol", "one host owns every partition"},
    Reserved{"enable.idempotence", exactly_once},
    Reserved{"enable.gapless.guarantee", exactly_once},
    Reserved{"transaction.timeout.ms", exactly_once},
    Reserved{"acks", exactly_once},
    Reserved{"request.required.acks", exactly_once},
    Reserved{"max.in.flight", exactly_once},
    Reserved{"max.in.flight.requests.per.connection", exactly_once},
    Reserved{"retries", exactly_once},
    Reserved{"message.send.max.retries", exactly_once},
    Reserved{"message.timeout.ms", exactly_once},
    Reserved{"delivery.timeout.ms", exactly_once},
    Reserved{"queuing.strategy", exactly_once},
    Reserved{"partitioner", "write sinks.NAME.partitioner"},
    Reserved{"allow.auto.create.topics", "write log.kafka.topics.create"},
    Reserved{"enabled_events", "the host chooses how it is called"},
    Reserved{"statistics.interval.ms", "the host needs librdkafka's statistics each second"},
    Reserved{"log.queue", "the host chooses how it is called"},
    Reserved{"test.mock.num.brokers", "a mock cluster drops records silently"},
};

constexpr std::array<std::pair<const char*, const char*>, 6> common_defaults{{
    {"log.connection.close", "false"},     // an idle connection is no news
    {"reconnect.backoff.max.ms", "1000"},  // a broker that comes back is noticed soon
    {"socket.keepalive.enable", "true"},
    {"socket.nagle.disable", "true"},
    {"statistics.interval.ms", "1000"},
    {"topic.metadata.refresh.interval.ms", "10000"},  // partitions that were added
}};

constexpr std::array<std::pair<const char*, const char*>, 6> consumer_defaults{{
    {"fetch.wait.max.ms", "20"},
    {"fetch.error.backoff.ms", "100"},
    {"heartbeat.interval.ms", "1000"},
    // Both for each partition, and only together with the wake-up of a throttled fetch.
    {"queued.min.messages", "20000"},
    {"queued.max.messages.kbytes", "8192"},
    {"check.crcs", "true"},
}};

constexpr std::array<std::pair<const char*, const char*>, 6> producer_defaults{{
    {"linger.ms", "5"},
    {"compression.type", "lz4"},
    {"queue.buffering.max.kbytes", "262144"},
    {"queue.buffering.max.messages", "1000000"},
    {"message.max.bytes", "135266304"},  // the broker's own limit decides
    {"retry.backoff.ms", "5"},           // with the default of 100 a transaction takes 100 ms
}};

/// Before, the last message of SCRAM repeats the wrong nonce.
constexpr int right_scram_nonce_since = 0x020601ff;

/// Every property that librdkafka has.
std::vector<std::string> known_properties() {
  const KafkaConf conf(rd_kafka_conf_new());
  std::size_t count = 0;
  const char** dump = rd_kafka_conf_dump(conf.get(), &count);
  std::vector<std::string> out;
  for (std::size_t i = 0; i + 1 < count; i += 2) out.emplace_back(dump[i]);
  rd_kafka_conf_dump_free(dump, count);
  return out;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

std::string nearest_property(std::string_view name) {
  std::string best;
  std::size_t distance = 4;
  for (const std::string& known : known_properties()) {
    const std::size_t here = edit_distance(name, known);
    if (here < distance) {
      distance = here;
      best = known;
    }
  }
  return best;
}

}  // namespace

bool is_secret_kafka_property(std::string_view name) {
  const auto has = [&](std::string_view part) { return name.find(part) != std::string_view::npos; };
  return has("password") || has("secret") || has("key.pem") || has("oauthbearer.config") ||
         has("token");
}

std::string kafka_property_warning(std::string_view name, std::string_view value) {
  const bool is_scram = (name == "sasl.mechanisms" || name == "sasl.mechanism") &&
                        value.find("SCRAM") != std::string_view::npos;
  if (!is_scram || rd_kafka_version() >= right_scram_nonce_since) return {};
  return fmt::format(
      "librdkafka {} gets SCRAM wrong and Kafka 4 says that the password is; Kafka 3 takes it. "
      "With "
      "Kafka 4: PLAIN within TLS, or librdkafka 2.6.1 or later",
      rd_kafka_version_str());
}

Result<void> check_kafka_property(const std::string& name, const std::string& value) {
  const auto taken = std::find_if(reserved.begin(), reserved.end(),
                                  [&](const Reserved& one) { return one.name == name; });
  if (taken != reserved.end()) {
    return error(Errc::config, "{} cannot be set here: {}", name, taken->reason);
  }
  const KafkaConf conf(rd_kafka_conf_new());
  std::array<char, 512> text{};
  switch (rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), text.data(), text.size())) {
    case RD_KAFKA_CONF_OK:
      return {};
    case RD_KAFKA_CONF_UNKNOWN: {
      const std::string nearest = nearest_property(name);
      return error(Errc::config, "librdkafka has no property {}{}", printable(name),
                   nearest.empty() ? "" : fmt::format("; did you mean {}?", nearest));
    }
    default:
      if (is_secret_kafka_property(name)) {
        return error(Errc::config, "librdkafka does not take the value of {}", name);
      }
      return error(Errc::config, "librdkafka does not take {}: {}", name, text.data());
  }
}

std::vector<std::pair<std::string, std::string>> kafka_client_properties(
    KafkaRole role, const KafkaProperties& common, const KafkaProperties& own,
    const KafkaProperties& fixed) {
  std::vector<std::pair<std::string, std::string>> out(common_defaults.begin(),
                                                       common_defaults.end());
  if (role == KafkaRole::consumer) {
    out.insert(out.end(), consumer_defaults.begin(), consumer_defaults.end());
    if (rd_kafka_version() >= fetch_queue_backoff_since) {
      out.emplace_back("fetch.queue.backoff.ms", "2");
    }
  }
  if (role == KafkaRole::producer) {
    out.insert(out.end(), producer_defaults.begin(), producer_defaults.end());
  }
  for (const KafkaProperties* layer : {&common, &own, &fixed}) {
    out.insert(out.end(), layer->begin(), layer->end());
  }
  return out;
}

}  // namespace weir::host
