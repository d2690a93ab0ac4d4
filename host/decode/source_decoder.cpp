#include "decode/source_decoder.hpp"

#include <cstddef>
#include <new>

namespace weir::host {

namespace {

weir_bytes view(std::string_view bytes) {
  static constexpr char empty = 0;
  const char* data = bytes.data() != nullptr ? bytes.data() : &empty;
  return {reinterpret_cast<const std::uint8_t*>(data), bytes.size()};
}

weir_bytes view(const MaybeBytes& bytes) { return bytes ? view(*bytes) : weir_bytes{nullptr, 0}; }

}  // namespace

SourceDecoder::SourceDecoder(std::unique_ptr<Decoder> decoder, bool takes_bytes,
                             TopicPartition input)
    : decoder_(std::move(decoder)), takes_bytes_(takes_bytes), input_(std::move(input)) {}

void SourceDecoder::decode(std::span<const Record> records, Arena& arena, DecodedRecords& out) {
  out.index.clear();
  out.nulls.clear();
  out.failures.clear();
  out.next_failure = 0;
  out.next_null = 0;
  auto* const first =
      reinterpret_cast<weir_record*>(arena.allocate(records.size() * sizeof(weir_record)));
  std::size_t count = 0;
  for (std::uint32_t i = 0; i < records.size(); ++i) {
    const Record& record = records[i];
    weir_bytes value{nullptr, 0};
    if (record.value) {
      auto decoded = decoder_->decode(*record.value, arena);
      if (!decoded) {
        out.failures.push_back({i, std::move(decoded).error().message});
        continue;
      }
      value = view(*decoded);
    } else if (!takes_bytes_) {
      out.nulls.push_back(i);
      continue;
    }

    weir_header* headers = nullptr;
    if (!record.headers.empty()) {
      headers = reinterpret_cast<weir_header*>(
          arena.allocate(record.headers.size() * sizeof(weir_header)));
      for (std::size_t h = 0; h < record.headers.size(); ++h) {
        new (&headers[h]) weir_header{view(record.headers[h].name), view(record.headers[h].value)};
      }
    }
    new (&first[count++]) weir_record{view(record.key),
                                      value,
                                      headers,
                                      record.headers.size(),
                                      view(std::string_view(input_.topic)),
                                      record.offset,
                                      record.timestamp_ms,
                                      input_.partition};
    out.index.push_back(i);
  }
  out.records = {first, count};
}

}  // namespace weir::host
