#include "log/partitioner.hpp"

#include <doctest/doctest.h>
#include <librdkafka/rdkafka.h>

#include <cstdlib>
#include <random>
#include <string>

namespace weir::host {
namespace {

std::int32_t of_librdkafka(Partitioner partitioner, const std::string& key, std::int32_t count) {
  const auto call = partitioner == Partitioner::murmur2 ? rd_kafka_msg_partitioner_murmur2
                                                        : rd_kafka_msg_partitioner_consistent;
  return call(nullptr, key.data(), key.size(), count, nullptr, nullptr);
}

}  // namespace

TEST_CASE("partitioner: random keys go where librdkafka sends them") {
  const char* given = std::getenv("WEIR_TEST_SEED");
  const std::uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  INFO("WEIR_TEST_SEED=", seed);
  std::mt19937_64 random(seed);

  for (int i = 0; i < 20'000; ++i) {
    std::string key(random() % 40, '\0');
    for (char& c : key) c = static_cast<char>(random());
    const auto count = static_cast<std::int32_t>(1 + random() % 1000);
    for (const Partitioner partitioner : {Partitioner::murmur2, Partitioner::consistent}) {
      CHECK(partition_of(partitioner, key, count) == of_librdkafka(partitioner, key, count));
    }
  }
}

TEST_CASE("partitioner: keys of every short length go where librdkafka sends them") {
  std::string key;
  for (char c = 'a'; c < 'u'; ++c) {
    for (const Partitioner partitioner : {Partitioner::murmur2, Partitioner::consistent}) {
      CHECK(partition_of(partitioner, key, 997) == of_librdkafka(partitioner, key, 997));
    }
    key.push_back(c);
  }
}

// The vectors of Kafka's own UtilsTest.testMurmur2, with the sign bit taken off.
TEST_CASE("partitioner: murmur2 has the values of Kafka's Java client") {
  constexpr std::int32_t all = 0x7fffffff;
  const auto positive = [](std::int32_t hash) { return (hash & all) % all; };

  CHECK(partition_of(Partitioner::murmur2, "21", all) == positive(-973932308));
  CHECK(partition_of(Partitioner::murmur2, "foobar", all) == positive(-790332482));
  CHECK(partition_of(Partitioner::murmur2, "a-little-bit-long-string", all) ==
        positive(-985981536));
  CHECK(partition_of(Partitioner::murmur2, "a-little-bit-longer-string", all) ==
        positive(-1486304829));
  CHECK(partition_of(Partitioner::murmur2, "abc", all) == positive(479470107));
}

}  // namespace weir::host
