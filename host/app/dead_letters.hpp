#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/open.hpp"

namespace weir::host {

/// A dead letter, copied out of its topic.
struct DeadLetter {
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::int64_t timestamp_ms = 0;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::map<std::string, std::string> facts;  ///< the host's headers, without their prefix
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;  ///< the record's own

  std::string id() const;
  /// "-": the letter does not say.
  std::string fact(const std::string& name) const;
};

/// The dead letters of an app, or of a topic that is named.
class DeadLetters {
 public:
  static Result<DeadLetters> open(const LogOptions& options, const std::string& topic);

  const std::string& topic() const { return topic_.name; }
  bool empty() const { return topic_.partition_count == 0; }
  const std::optional<Config>& config() const { return opened_.config; }

  /// All of one partition after the other, each in order.
  Result<void> each(const std::function<Result<void>(DeadLetter letter)>& visit) const;

  /// Absent: there is none of this id. Errc::usage: not an id ("partition:offset").
  Result<std::optional<DeadLetter>> find(const std::string& id) const;

 private:
  OpenLog opened_;
  TopicInfo topic_;
};

}  // namespace weir::host
