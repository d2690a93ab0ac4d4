#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <weir/abi.h>

#include "base/arena.hpp"
#include "decode/decoder.hpp"
#include "log/log.hpp"

namespace weir::host {

/// The records of one fetch, decoded for one message type: what prepare() gets.
struct DecodedRecords {
  std::span<weir_record> records;    ///< those that could be decoded, in order
  std::vector<std::uint32_t> index;  ///< of each of them in the fetch
  std::vector<std::uint32_t> nulls;  ///< in the fetch: no value, and a message was wanted
  struct Failure {
    std::uint32_t index;  ///< in the fetch
    std::string reason;
  };
  std::vector<Failure> failures;  ///< undecodable, in order
  /// How far the walk over the fetch has come in `failures` and `nulls`.
  std::size_t next_failure = 0;
  std::size_t next_null = 0;
};

/// Decodes a source's records for one message type. One per (source, message type, task). [task]
class SourceDecoder {
 public:
  /// `takes_bytes`: the resolvers take record bytes, and see null values.
  SourceDecoder(std::unique_ptr<Decoder> decoder, bool takes_bytes, TopicPartition input);

  /// Fills `out`. The ABI records, their headers and decoded values lie in `arena`; keys, and
  /// values that need no decoding, point into `records`.
  void decode(std::span<const Record> records, Arena& arena, DecodedRecords& out);

 private:
  std::unique_ptr<Decoder> decoder_;
  bool takes_bytes_;
  TopicPartition input_;
};

}  // namespace weir::host
