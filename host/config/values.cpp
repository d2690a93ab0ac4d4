#include "config/values.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <limits>

#include "base/bytes.hpp"
#include "base/number.hpp"

namespace weir::host {
namespace {

struct DurationUnit {
  std::string_view name;
  std::int64_t ms;
};
constexpr std::array<DurationUnit, 5> duration_units = {{
    {"d", 86'400'000},
    {"h", 3'600'000},
    {"m", 60'000},
    {"s", 1'000},
    {"ms", 1},
}};

struct SizeUnit {
  std::string_view name;
  std::uint64_t bytes;
};
constexpr std::array<SizeUnit, 8> size_units = {{
    {"TiB", std::uint64_t{1} << 40},
    {"TB", 1'000'000'000'000},
    {"GiB", std::uint64_t{1} << 30},
    {"GB", 1'000'000'000},
    {"MiB", std::uint64_t{1} << 20},
    {"MB", 1'000'000},
    {"KiB", std::uint64_t{1} << 10},
    {"kB", 1'000},
}};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Takes the digits at the front of `text`; false when there are none or they do not fit.
template <typename T>
bool take_number(std::string_view& text, T& out) {
  if (text.empty() || !is_digit(text.front())) return false;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (code != std::errc{}) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

std::string_view take_letters(std::string_view& text) {
  std::size_t size = 0;
  while (size < text.size() && !is_digit(text[size])) ++size;
  const std::string_view letters = text.substr(0, size);
  text.remove_prefix(size);
  return letters;
}

std::string quoted(std::string_view text) { return '"' + printable(text) + '"'; }

/// Exactly `count` digits of `text` from `at`; -1 when they are not there.
int digits(std::string_view text, std::size_t at, std::size_t count) {
  if (at + count > text.size()) return -1;
  int out = 0;
  for (std::size_t i = at; i < at + count; ++i) {
    if (!is_digit(text[i])) return -1;
    out = out * 10 + (text[i] - '0');
  }
  return out;
}

/// Takes Z or +hh:mm from the whole of `text`.
bool parse_zone(std::string_view text, int& minutes) {
  if (text == "Z" || text == "z") {
    minutes = 0;
    return true;
  }
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') return false;
  const int hour = digits(text, 1, 2);
  const int minute = digits(text, 4, 2);
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59) return false;
  minutes = (hour * 60 + minute) * (text[0] == '-' ? -1 : 1);
  return true;
}

}  // namespace

Result<std::int64_t> parse_duration(std::string_view text) {
  const auto wrong = [&](std::string_view why) {
    return error(Errc::invalid, "{} is not a duration: {}", quoted(text), why);
  };
  if (text == "infinity") return duration_infinity;
  if (text == "0") return std::int64_t{0};
  if (text.empty()) return wrong("it is empty; write 250ms, 5s, 2m, 1h, 7d or 1h30m");

  std::int64_t total = 0;
  std::size_t smallest = 0;  // the next unit allowed
  for (std::string_view rest = text; !rest.empty();) {
    if (!is_digit(rest.front())) return wrong("write 250ms, 5s, 2m, 1h, 7d, 1h30m or infinity");
    std::int64_t count = 0;
    if (!take_number(rest, count)) return wrong("the longest is 36500d; or write infinity");
    const std::string_view unit = take_letters(rest);
    if (unit.starts_with('.')) return wrong("no fractions; write 1500ms or 1s500ms for 1.5s");
    if (unit.empty()) return wrong("a unit is missing; write 250ms, 5s, 2m, 1h or 7d");
    const auto found = std::find_if(duration_units.begin(), duration_units.end(),
                                    [&](const DurationUnit& u) { return u.name == unit; });
    if (found == duration_units.end()) {
      return wrong(fmt::format("unknown unit {}; units are ms, s, m, h and d", quoted(unit)));
    }
    const auto index = static_cast<std::size_t>(found - duration_units.begin());
    if (index < smallest) return wrong("units go from large to small, each once, as in 1h30m");
    smallest = index + 1;
    if (count > duration_ms_max / found->ms || total + count * found->ms > duration_ms_max) {
      return wrong("the longest is 36500d; or write infinity");
    }
    total += count * found->ms;
  }
  return total;
}

std::string format_duration(std::int64_t ms) {
  if (ms == duration_infinity) return "infinity";
  if (ms == 0) return "0";
  std::string out;
  for (const DurationUnit& unit : duration_units) {
    if (ms < unit.ms) continue;
    out += fmt::format("{}{}", ms / unit.ms, unit.name);
    ms %= unit.ms;
  }
  return out;
}

Result<std::uint64_t> parse_size(std::string_view text) {
  constexpr std::string_view how = "write 512, 64KiB, 16MiB, 1GiB (1024) or 64kB, 1MB (1000)";
  std::string_view rest = text;
  std::uint64_t count = 0;
  if (rest.empty() || !is_digit(rest.front())) {
    return error(Errc::invalid, "{} is not a size; {}", quoted(text), how);
  }
  if (!take_number(rest, count)) {
    return error(Errc::invalid, "{} is not a size: it does not fit 64 bits", quoted(text));
  }
  if (rest.empty()) return count;
  const auto found = std::find_if(size_units.begin(), size_units.end(),
                                  [&](const SizeUnit& u) { return u.name == rest; });
  if (found == size_units.end()) {
    return error(Errc::invalid, "{} is not a size: unknown unit {}; {}", quoted(text), quoted(rest),
                 how);
  }
  if (count > std::numeric_limits<std::uint64_t>::max() / found->bytes) {
    return error(Errc::invalid, "{} is not a size: it does not fit 64 bits", quoted(text));
  }
  return count * found->bytes;
}

std::string format_size(std::uint64_t bytes) {
  std::string best = fmt::format("{}", bytes);
  for (const SizeUnit& unit : size_units) {
    if (bytes == 0 || bytes % unit.bytes != 0) continue;
    const std::string text = fmt::format("{}{}", bytes / unit.bytes, unit.name);
    if (text.size() <= best.size()) best = text;
  }
  return best;
}

Result<Time> parse_time(std::string_view text) {
  const auto wrong = [&](std::string_view why) {
    return error(Errc::invalid, "{} is not a time: {}", quoted(text), why);
  };
  constexpr std::string_view how = "write 2026-01-31T00:00:00Z or 2026-01-31T01:00:00+01:00";
  const int year = digits(text, 0, 4), month = digits(text, 5, 2), day = digits(text, 8, 2);
  const int hour = digits(text, 11, 2), minute = digits(text, 14, 2), second = digits(text, 17, 2);
  if (year < 0 || month < 0 || day < 0 || hour < 0 || minute < 0 || second < 0) return wrong(how);
  if (text[4] != '-' || text[7] != '-' || text[13] != ':' || text[16] != ':') return wrong(how);
  if (text[10] != 'T' && text[10] != 't' && text[10] != ' ') return wrong(how);

  const std::chrono::year_month_day date{std::chrono::year{year},
                                         std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day)}};
  if (year < 1 || !date.ok()) return wrong("there is no such day");
  if (hour > 23 || minute > 59 || second > 59) return wrong("there is no such time of day");

  Time out;
  std::string_view rest = text.substr(19);
  if (!rest.empty() && rest.front() == '.') {
    rest.remove_prefix(1);
    std::int32_t place = 100'000'000;
    if (rest.empty() || !is_digit(rest.front())) return wrong(how);
    for (; !rest.empty() && is_digit(rest.front()); rest.remove_prefix(1), place /= 10) {
      if (place == 0) return wrong("it has more than nine digits after the second");
      out.nanos += (rest.front() - '0') * place;
    }
  }
  int zone_minutes = 0;
  if (rest.empty()) return wrong("the zone is missing; end it with Z or an offset such as +01:00");
  if (!parse_zone(rest, zone_minutes)) return wrong(how);

  const std::int64_t days = std::chrono::sys_days{date}.time_since_epoch().count();
  out.seconds = ((days * 24 + hour) * 60 + minute - zone_minutes) * 60 + second;
  return out;
}

Result<std::int64_t> parse_time_ms(std::string_view text) {
  WEIR_TRY(const Time time, parse_time(text));
  return time.seconds * 1000 + time.nanos / 1'000'000;
}

std::string format_time_ms(std::int64_t ms) {
  namespace chrono = std::chrono;
  constexpr std::int64_t first = -62'135'596'800'000;  // 0001-01-01T00:00:00Z
  constexpr std::int64_t last = 253'402'300'799'999;   // 9999-12-31T23:59:59.999Z
  if (ms < first || ms > last) return fmt::format("{}", ms);
  const chrono::sys_time<chrono::milliseconds> at{chrono::milliseconds{ms}};
  const auto day = chrono::floor<chrono::days>(at);
  const chrono::year_month_day date{day};
  const chrono::hh_mm_ss time{at - day};
  std::string out =
      fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  time.hours().count(), time.minutes().count(), time.seconds().count());
  if (time.subseconds().count() != 0) out += fmt::format(".{:03}", time.subseconds().count());
  return out + "Z";
}

Result<void> check_name(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || is_digit(c) || c == '_' || c == '-';
  };
  const bool fits = !text.empty() && text.size() <= 63 && text[0] >= 'a' && text[0] <= 'z' &&
                    std::all_of(text.begin(), text.end(), allowed);
  if (fits) return {};
  return error(Errc::invalid,
               "{} is not a name: a-z first, then a-z, 0-9, _ and -, at most 63 characters",
               quoted(text));
}

Result<void> check_broker(std::string_view text) {
  const auto wrong = [&](std::string_view why) {
    return error(Errc::invalid, "{} is not a broker: {}", quoted(text), why);
  };
  if (text.find("://") != text.npos) return wrong("it has a protocol in front");
  const std::size_t colon = text.rfind(':');
  if (colon == text.npos) return wrong("its port is missing");
  const std::string_view host = text.substr(0, colon);
  const std::string_view port_text = text.substr(colon + 1);
  if (to_number<std::uint16_t>(port_text).value_or(0) == 0) {
    return wrong("its port is not a number from 1 to 65535");
  }
  if (host.empty()) return wrong("its host is missing");
  const bool is_bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  const auto is_address = [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' || c == '.';
  };
  const auto is_name = [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
           c == '-' || c == '_';
  };
  const std::string_view inside = is_bracketed ? host.substr(1, host.size() - 2) : host;
  const bool fits = is_bracketed ? std::all_of(inside.begin(), inside.end(), is_address)
                                 : std::all_of(inside.begin(), inside.end(), is_name);
  if (fits) return {};
  return wrong(host.find(':') != host.npos && !is_bracketed
                   ? "an IPv6 address needs brackets, as in [::1]:9092"
                   : "its host has other characters than names and addresses have");
}

Result<void> check_topic(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '.' ||
           c == '_' || c == '-';
  };
  const bool fits = !text.empty() && text.size() <= 249 && text != "." && text != ".." &&
                    std::all_of(text.begin(), text.end(), allowed);
  if (fits) return {};
  return error(
      Errc::invalid,
      "{} is not a topic: a-z, A-Z, 0-9, dot, _ and -, at most 249 characters, not . or ..",
      quoted(text));
}

bool is_utf8(std::string_view bytes, std::size_t* bad) {
  const auto byte = [&](std::size_t i) {
    return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0U;
  };
  for (std::size_t i = 0; i < bytes.size();) {
    const unsigned lead = byte(i);
    std::size_t size = 1;
    unsigned low = 0x80, high = 0xBF;  // what the second byte may be
    if (lead >= 0xC2 && lead <= 0xDF) size = 2;
    if (lead >= 0xE0 && lead <= 0xEF) size = 3;
    if (lead >= 0xF0 && lead <= 0xF4) size = 4;
    if (lead == 0xE0) low = 0xA0;   // overlong
    if (lead == 0xED) high = 0x9F;  // surrogates
    if (lead == 0xF0) low = 0x90;   // overlong
    if (lead == 0xF4) high = 0x8F;  // above U+10FFFF
    bool fits = lead < 0x80 || size > 1;
    if (size > 1) fits = byte(i + 1) >= low && byte(i + 1) <= high;
    for (std::size_t k = 2; fits && k < size; ++k) fits = (byte(i + k) & 0xC0U) == 0x80U;
    if (!fits) {
      if (bad != nullptr) *bad = i;
      return false;
    }
    i += size;
  }
  return true;
}

}  // namespace weir::host
