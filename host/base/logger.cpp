#include "base/logger.hpp"

#include <chrono>
#include <mutex>
#include <unordered_map>

#include <spdlog/formatter.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/ansicolor_sink.h>
#include <unistd.h>

namespace weir::host {

namespace {

constexpr std::chrono::seconds repeat_window{10};
constexpr std::chrono::seconds forget_interval{1};
constexpr std::size_t remembered_lines_max = 1000;

void append_json_string(spdlog::memory_buf_t& out, std::string_view text) {
  out.push_back('"');
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (byte < 0x20) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

/// spdlog's pattern formatter does not escape, so JSON lines are made here.
class JsonFormatter final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    using std::chrono::duration_cast;
    using std::chrono::microseconds;
    const auto since_epoch = duration_cast<microseconds>(message.time.time_since_epoch()).count();
    const std::time_t seconds = since_epoch / 1'000'000;
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    fmt::format_to(std::back_inserter(out),
                   R"({{"ts":"{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z","level":)",
                   utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min,
                   utc.tm_sec, since_epoch % 1'000'000);
    const auto level = spdlog::level::to_string_view(message.level);
    append_json_string(out, {level.data(), level.size()});
    const std::string_view area(message.logger_name.data(), message.logger_name.size());
    out.append(std::string_view(R"(,"area":)"));
    append_json_string(out, area);
    out.append(std::string_view(R"(,"msg":)"));
    append_json_string(out, {message.payload.data(), message.payload.size()});
    out.append(std::string_view("}\n"));
  }
  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<JsonFormatter>();
  }
};

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warn:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

}  // namespace

struct Logger::Impl {
  spdlog::sinks::ansicolor_stderr_sink_mt sink;
  LogLevel level = LogLevel::info;

  struct Repeat {
    std::chrono::steady_clock::time_point window_start;
    std::uint64_t suppressed = 0;
  };
  std::mutex mutex;
  std::unordered_map<std::string, Repeat> repeats;  // guarded by mutex
  std::chrono::steady_clock::time_point forgotten;  // guarded by mutex

  /// Lines whose window is over say nothing of later ones, unless some were left out. Under the
  /// mutex.
  void forget(std::chrono::steady_clock::time_point now) {
    if (repeats.size() >= remembered_lines_max) repeats.clear();
    if (now - forgotten < forget_interval) return;
    forgotten = now;
    std::erase_if(repeats, [now](const auto& line) {
      return line.second.suppressed == 0 && now - line.second.window_start >= repeat_window;
    });
  }
};

Logger::Format Logger::format_for_stderr() {
  return isatty(STDERR_FILENO) != 0 ? Format::human : Format::json;
}

Logger::Logger(Format format, LogLevel level) : impl_(std::make_unique<Impl>()) {
  impl_->level = level;
  if (format == Format::json) {
    impl_->sink.set_formatter(std::make_unique<JsonFormatter>());
  } else {
    impl_->sink.set_pattern("%H:%M:%S.%e %^%-5l%$ %n: %v");
  }
}

Logger::~Logger() = default;

void Logger::write(LogLevel level, std::string_view area, std::string_view text) {
  if (level < impl_->level) return;
  std::string line(text);
  if (level < LogLevel::error) {
    const auto now = std::chrono::steady_clock::now();
    const std::lock_guard lock(impl_->mutex);
    impl_->forget(now);
    auto [entry, is_new] = impl_->repeats.try_emplace(fmt::format("{}\n{}", area, text));
    if (!is_new && now - entry->second.window_start < repeat_window) {
      ++entry->second.suppressed;
      return;
    }
    if (entry->second.suppressed > 0) {
      line += fmt::format(" ({} more like this left out)", entry->second.suppressed);
    }
    entry->second = {now, 0};
  }
  const spdlog::string_view_t name(area.data(), area.size());
  impl_->sink.log(spdlog::details::log_msg(name, to_spdlog(level),
                                           spdlog::string_view_t(line.data(), line.size())));
  impl_->sink.flush();
}

}  // namespace weir::host
