#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "log/log.hpp"

namespace weir::host {

/// Dead letters that an operator sends back (`weir deadletters retry`). They wait in an embedded
/// log in the state directory, a topic for each task, where nobody else sees them; the task's
/// position there is part of its commits, so each is handled once. The command appends while the
/// host runs.
///
/// What is appended is the dead letter itself (its key, value and all its headers, the host's
/// `weir.` ones among them) with one more header, the letter's id.

Result<std::unique_ptr<Log>> open_retry_log(const std::filesystem::path& state);

inline constexpr std::string_view retry_id_header = "weir.retry_of";

/// A record of the retry log, as the resolver that refused it shall see it again.
struct Retry {
  Record record;  ///< offset, timestamp and headers of the record it once was
  std::string_view resolver;
  std::string_view id;  ///< of the dead letter, "partition:offset"
  std::vector<Header> headers;
  bool undecoded = false;  ///< it was refused before any resolver saw it

  /// Views into `stored`. Errc::invalid: a header that the host had set is missing or changed.
  static Result<Retry> read(const Record& stored);
};

}  // namespace weir::host
