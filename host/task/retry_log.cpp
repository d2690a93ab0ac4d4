#include "task/retry_log.hpp"

#include "base/number.hpp"
#include "log/embedded_log.hpp"
#include "task/counters.hpp"

namespace weir::host {
namespace {

constexpr std::string_view host_prefix = "weir.";
constexpr std::uint64_t retry_map_bytes = std::uint64_t{16} << 30;

bool read_number(const MaybeBytes& text, std::int64_t& number) {
  const auto read = to_number<std::int64_t>(text.value_or(std::string_view{}));
  number = read.value_or(0);
  return read.has_value();
}

}  // namespace

Result<std::unique_ptr<Log>> open_retry_log(const std::filesystem::path& state) {
  WEIR_TRY(auto log,
           EmbeddedLog::open({.directory = state / "retries", .map_bytes = retry_map_bytes}));
  return std::unique_ptr<Log>(std::move(log));
}

Result<Retry> Retry::read(const Record& stored) {
  Retry out;
  bool has_offset = false;
  bool has_timestamp = false;
  out.record.key = stored.key;
  out.record.value = stored.value;
  for (const Header& header : stored.headers) {
    if (!header.name.starts_with(host_prefix)) {
      out.headers.push_back(header);
    } else if (header.name == "weir.offset") {
      has_offset = read_number(header.value, out.record.offset);
    } else if (header.name == "weir.timestamp_ms") {
      has_timestamp = read_number(header.value, out.record.timestamp_ms);
    } else if (header.name == "weir.resolver") {
      out.resolver = header.value.value_or("");
    } else if (header.name == "weir.error") {
      const std::string_view kind = header.value.value_or("");
      out.undecoded =
          kind == name_of(SetAside::undecodable) || kind == name_of(SetAside::null_value);
    } else if (header.name == retry_id_header) {
      out.id = header.value.value_or("");
    }
  }
  if (has_offset && has_timestamp && !out.resolver.empty()) return out;
  return error(Errc::invalid,
               "the dead letter {} has lost its {} header, so nobody knows what it was",
               out.id.empty() ? "that was sent back" : out.id,
               !has_offset      ? "weir.offset"
               : !has_timestamp ? "weir.timestamp_ms"
                                : "weir.resolver");
}

}  // namespace weir::host
