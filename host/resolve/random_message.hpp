#pragma once

#include <random>

namespace google::protobuf {
class Message;
}

namespace weir::host {

/// Fills every kind of field with seeded random values: equal seeds give equal messages. Strings
/// are valid UTF-8 and often from a small vocabulary, so that keys meet again; required fields are
/// always set; nesting and sizes are bounded.
void fill_random(google::protobuf::Message& message, std::mt19937_64& random);

}  // namespace weir::host
