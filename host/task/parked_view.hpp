#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "log/log.hpp"
#include "weir/v1/task.pb.h"

namespace weir::host {

/// Records as they came, views into what was stored.
struct ParkedView {
  explicit ParkedView(std::span<const v1::ParkedRecord> stored) : headers(stored.size()) {
    records.reserve(stored.size());
    for (std::size_t i = 0; i < stored.size(); ++i) {
      const v1::ParkedRecord& from = stored[i];
      for (const v1::ParkedRecord::Header& header : from.headers()) {
        headers[i].push_back({header.name(), header.has_value()
                                                 ? MaybeBytes(std::string_view(header.value()))
                                                 : std::nullopt});
      }
      records.push_back(
          {.key = from.has_key() ? MaybeBytes(std::string_view(from.key())) : std::nullopt,
           .value = from.has_value() ? MaybeBytes(std::string_view(from.value())) : std::nullopt,
           .headers = headers[i],
           .offset = from.offset(),
           .timestamp_ms = from.timestamp_ms()});
    }
  }
  std::vector<std::vector<Header>> headers;
  std::vector<Record> records;
};

}  // namespace weir::host
