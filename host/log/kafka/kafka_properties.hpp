#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace weir::host {

/// Properties of librdkafka by their names.
using KafkaProperties = std::map<std::string, std::string>;

/// Which client a property is for.
enum class KafkaRole { any, consumer, producer };

/// Whether a user may set the property to the value, as librdkafka itself sees it.
/// Errc::config: unknown (with a name that is near), a value that it does not take, or a property
/// that a promise of the host depends on, with the reason. The value of a secret is never shown.
Result<void> check_kafka_property(const std::string& name, const std::string& value);

/// What is taken and will most likely not work with the librdkafka that runs; empty: nothing.
std::string kafka_property_warning(std::string_view name, std::string_view value);

/// Passwords, keys and tokens: never in any output.
bool is_secret_kafka_property(std::string_view name);

/// What a client of the host is configured with: defaults that suit the host, then the user's
/// `common` and `own` properties, then `fixed`, what the host's promises rest on.
/// In the order in which they are to be set: a later one wins, also under another of its names.
std::vector<std::pair<std::string, std::string>> kafka_client_properties(
    KafkaRole role, const KafkaProperties& common, const KafkaProperties& own,
    const KafkaProperties& fixed);

}  // namespace weir::host
