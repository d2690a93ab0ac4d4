#include "supervise/crash_report.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <sstream>

#include <fmt/chrono.h>
#include <google/protobuf/util/json_util.h>

#include "base/bytes.hpp"
#include "commit/files.hpp"

namespace weir::host {

namespace {

constexpr std::string_view suffix = ".json";

std::filesystem::path directory_of(const std::filesystem::path& state) { return state / "crashes"; }

std::string time_text(std::int64_t time_ms, const char* format) {
  const std::time_t seconds = time_ms / 1000;
  return fmt::format(fmt::runtime(format), fmt::gmtime(seconds));
}

std::string make_id(std::int64_t time_ms, std::int64_t pid) {
  return fmt::format("{}{:03}-{}", time_text(time_ms, "{:%Y%m%dT%H%M%S}"), time_ms % 1000, pid);
}

bool is_crash_signal(int signal) {
  return signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE ||
         signal == SIGABRT;
}

void set_place(const Journal& journal, std::uint64_t address, v1::Place& place) {
  place.set_address(fmt::format("{:#x}", address));
  const auto number = journal.generation_at(address);
  if (!number) return;
  const auto generation = journal.generation(*number);
  if (!generation) return;
  place.set_plugin(fmt::format("{} {}", generation->plugin, generation->version));
  place.set_offset(fmt::format("{:#x}", address - generation->begin));
}

void set_call(const Journal& journal, std::size_t number, v1::CrashReport& report) {
  const JournalLine& line = journal.lines()[number];
  const Journal::Names names = journal.names(number);
  const Slot slot = JournalLine::slot_of(line.call);
  report.set_task(names.task);
  report.set_topic(names.topic);
  report.set_partition(names.partition);
  report.set_resolver(journal.resolver(line.resolver));
  report.set_slot(std::string(name_of(slot < Slot::count ? slot : Slot::none)));
  report.set_commits(line.commits);
  const std::int64_t at = line.at;
  if (slot == Slot::notify) {
    report.set_timer_ms(at);
  } else if (line.span > 0) {
    report.mutable_records()->set_first_offset(at);
    report.mutable_records()->set_last_offset(at + line.span - 1);
  }
  if (const auto generation = journal.generation(line.generation)) {
    report.set_plugin(generation->plugin);
    report.set_version(generation->version);
    report.set_sha256(generation->sha256);
    report.set_build_id(generation->build_id);
  }
}

void set_mark(const Journal& journal, v1::CrashReport& report) {
  const CrashMark& mark = journal.mark();
  report.set_time_ms(mark.time_ms);
  switch (mark.kind) {
    case CrashKind::exit:
      report.set_kind("exit");
      report.set_exit_code(mark.exit_code);
      break;
    case CrashKind::watchdog:
      report.set_kind("watchdog");
      break;
    default:
      report.set_kind("signal");
      report.set_signal(signal_name(mark.signal));
      report.set_signal_code(mark.signal_code);
      if (mark.signal_code > 0) set_place(journal, mark.address, *report.mutable_address());
  }
  if (mark.instruction != 0) set_place(journal, mark.instruction, *report.mutable_instruction());
  for (std::uint32_t i = 0; i < std::min<std::size_t>(mark.return_count, mark.returns.size());
       ++i) {
    set_place(journal, mark.returns[i], *report.add_stack());
  }
  const bool own =
      mark.kind != CrashKind::signal || mark.signal_code > 0 || mark.sender == journal.owner();
  const bool in_call = mark.line >= 0 && static_cast<std::size_t>(mark.line) < journal.line_count();
  if (in_call) {
    set_call(journal, static_cast<std::size_t>(mark.line), report);
    report.set_key(mark.key.data(), std::min<std::size_t>(mark.key_size, mark.key.size()));
  }
  report.set_counted(own && in_call);
  if (!own) {
    report.set_verdict(fmt::format("process {} sent the signal", mark.sender));
  } else if (!in_call) {
    report.set_verdict("the thread was in no call of a plugin");
  } else if (mark.kind == CrashKind::watchdog) {
    report.set_verdict("the call took longer than watchdog.hard");
  } else if (mark.kind == CrashKind::exit) {
    report.set_verdict("the plugin ended the process from inside a call");
  } else {
    report.set_verdict("the process raised it itself, inside a call of the plugin");
  }
}

/// The only call in flight. Absent: there is none, or more than one.
std::optional<std::size_t> only_call(const Journal& journal) {
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < journal.line_count(); ++i) {
    if (JournalLine::slot_of(journal.lines()[i].call) == Slot::none) continue;
    if (found) return std::nullopt;
    found = i;
  }
  return found;
}

void set_unmarked(const Journal& journal, const ProcessEnd& end, v1::CrashReport& report) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  report.set_time_ms(std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000);
  report.set_kind("unknown");
  if (end.code) report.set_exit_code(*end.code);
  if (!end.code) report.set_signal(signal_name(end.signal));
  const auto call = only_call(journal);
  report.set_counted(call.has_value());
  if (call) {
    set_call(journal, *call, report);
    report.set_verdict("it left no mark, and this was the only call in flight");
  } else {
    report.set_verdict("it left no mark, and no call, or more than one, was in flight");
  }
}

std::string what_happened(const v1::CrashReport& report) {
  if (report.kind() == "watchdog") return "hung";
  if (!report.signal().empty()) return "crashed with " + report.signal();
  return fmt::format("ended the process with exit({})", report.exit_code());
}

std::string where(const v1::CrashReport& report) {
  if (report.slot().empty()) return "outside of any call of a plugin";
  if (report.slot() == "load") return "while it was loaded";
  std::string out = fmt::format("in {}() of resolver {}", report.slot(), report.resolver());
  if (report.has_timer_ms()) {
    out += fmt::format(" for the timer of key \"{}\" at {} ms", printable(report.key()),
                       report.timer_ms());
  } else if (report.has_records()) {
    const v1::Records& records = report.records();
    const bool one = records.first_offset() == records.last_offset();
    out += one ? fmt::format(" at the record at offset {}", records.first_offset())
               : fmt::format(" at the records at offsets {} to {}", records.first_offset(),
                             records.last_offset());
    out += fmt::format(" of topic {} partition {}", report.topic(), report.partition());
  } else if (!report.key().empty()) {
    out += fmt::format(" for key \"{}\"", printable(report.key()));
  }
  return out;
}

void add_place(std::string& out, std::string_view name, const v1::Place& place) {
  out += fmt::format("{:<12} {}", name, place.address());
  if (!place.plugin().empty()) out += fmt::format(" = {} + {}", place.plugin(), place.offset());
  out += '\n';
}

void prune(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> files;
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(directory, failed)) {
    if (entry.path().extension() == suffix) files.push_back(entry.path());
  }
  if (files.size() <= crash_reports_max) return;
  std::sort(files.begin(), files.end());
  files.resize(files.size() - crash_reports_max);
  for (const auto& file : files) std::filesystem::remove(file, failed);
}

}  // namespace

std::optional<v1::CrashReport> read_crash(const Journal& journal, const ProcessEnd* end) {
  v1::CrashReport report;
  report.set_pid(journal.owner());
  if (journal.mark().taken != 0) {
    set_mark(journal, report);
  } else if (end != nullptr && (end->code || is_crash_signal(end->signal))) {
    set_unmarked(journal, *end, report);
  } else {
    return std::nullopt;
  }
  report.set_id(make_id(report.time_ms(), report.pid()));
  return report;
}

std::string headline(const v1::CrashReport& report) {
  std::string who = "the host";
  if (!report.plugin().empty()) {
    who = fmt::format("plugin {} {} ({:.12})", report.plugin(), report.version(), report.sha256());
  } else if (report.slot() == "load") {
    who = "plugin " + report.task();
  }
  return fmt::format("{} {} {}", who, what_happened(report), where(report));
}

std::string text_of(const v1::CrashReport& report) {
  std::string out = fmt::format("{}: {}\n", report.id(), headline(report));
  const auto add = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) out += fmt::format("{:<12} {}\n", name, value);
  };
  add("time", time_text(report.time_ms(), "{:%Y-%m-%dT%H:%M:%SZ}"));
  add("counted", fmt::format("{}: {}", report.counted() ? "yes" : "no", report.verdict()));
  add("process", std::to_string(report.pid()));
  add("task", report.task());
  if (report.has_records() || report.has_timer_ms()) add("key", printable(report.key()));
  add("sha256", report.sha256());
  add("build id", report.build_id());
  if (report.has_instruction()) add_place(out, "instruction", report.instruction());
  if (report.has_address()) add_place(out, "address", report.address());
  for (const v1::Place& place : report.stack()) add_place(out, "stack", place);
  return out;
}

Result<std::string> json_of(const v1::CrashReport& report) {
  std::string json;
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  const auto status = google::protobuf::util::MessageToJsonString(report, &json, options);
  if (!status.ok()) return error(Errc::internal, "crash report: {}", status.ToString());
  return json;
}

Result<void> write_crash_report(const std::filesystem::path& state, const v1::CrashReport& report) {
  const std::filesystem::path directory = directory_of(state);
  WEIR_CHECK(make_durable_directory(directory));
  WEIR_TRY(const std::string json, json_of(report));
  WEIR_CHECK(write_durable_file(directory / (report.id() + std::string(suffix)), json));
  prune(directory);
  return {};
}

std::vector<v1::CrashReport> read_crash_reports(const std::filesystem::path& state,
                                                std::vector<std::string>& warnings) {
  std::vector<v1::CrashReport> reports;
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(directory_of(state), failed)) {
    if (entry.path().extension() != suffix) continue;
    std::ifstream in(entry.path());
    std::ostringstream json;
    json << in.rdbuf();
    v1::CrashReport& report = reports.emplace_back();
    google::protobuf::util::JsonParseOptions options;
    options.ignore_unknown_fields = true;  // a later version's
    if (google::protobuf::util::JsonStringToMessage(json.str(), &report, options).ok()) continue;
    reports.pop_back();
    warnings.push_back(fmt::format("{} is no crash report; delete it", entry.path().string()));
  }
  std::sort(reports.begin(), reports.end(),
            [](const auto& a, const auto& b) { return a.id() < b.id(); });
  return reports;
}

Result<void> forget_crash_report(const std::filesystem::path& state, const std::string& id) {
  std::error_code failed;
  const bool plain = id.find('/') == std::string::npos;
  if (plain && std::filesystem::remove(directory_of(state) / (id + std::string(suffix)), failed)) {
    return {};
  }
  return error(Errc::not_found, "there is no crash report {} in {}", id,
               directory_of(state).string());
}

std::filesystem::path journal_file(const std::filesystem::path& state) { return state / "journal"; }

Result<std::optional<v1::CrashReport>> unsettled_crash(const std::filesystem::path& state) {
  const int fd = ::open(journal_file(state).c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return std::optional<v1::CrashReport>{};
  auto journal = Journal::inherit(fd);
  if (!journal) {
    ::close(fd);
    return error(Errc::invalid, "{}: {}", journal_file(state).string(), journal.error().message);
  }
  return read_crash(**journal, nullptr);
}

}  // namespace weir::host
