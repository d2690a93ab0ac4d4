#pragma once

#include <string>
#include <vector>

namespace google::protobuf {
class Descriptor;
}

namespace weir::host {

/// Why code with the State type `now` would misread States written with `before`, or code with
/// `before` misread States written with `now` after a rollback. Empty: both directions are safe.
///
/// Stricter than Protobuf's wire compatibility: fields may be added, renamed, and removed if their
/// number is reserved; numbers are never reused; type, cardinality, oneof membership, enum values
/// and map types stay. Follows message types all the way down. One finding a line, naming the
/// field, what it was, what it is, and the way out.
std::vector<std::string> state_schema_conflicts(const google::protobuf::Descriptor& before,
                                                const google::protobuf::Descriptor& now);

}  // namespace weir::host
