#pragma once

#include <string>

namespace weir::test {

/// The bootstrap servers of the Kafka that tests made with weir_kafka_test() run against. Throws,
/// saying what to do, where there is none.
std::string kafka_servers();

}  // namespace weir::test
