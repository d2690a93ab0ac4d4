#include "task/retry_log.hpp"

#include <charconv>

#include "log/embedded_log.hpp"
#include "task/counters.hpp"

namespace weir::host {
namespace {

constexpr std::string_view host_prefix = "weir.";
constexpr std::uint64_t retry_map_bytes = std::uint64_t{16} << 30;

bool to_number(const MaybeBytes& text, std::int64_t& number) {
  if (!text) return false;
  const char* const end = text->data() + text->size();
  const auto [stop, code] = std::from_chars(text->data(), end, number);
  return code == std::errc{} && stop == end;
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
      has_offset = to_number(header.value, out.record.offset);
    } else if (header.name == "weir.timestamp_ms") {
      has_timestamp = to_number(header.value, out.record.timestamp_ms);
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
