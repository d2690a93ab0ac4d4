#include "supervise/crash_report.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <fstream>

#include "support/temp_dir.hpp"

namespace weir::host {
namespace {

/// A journal with one task, in a call at offset 7.
struct Fixture {
  std::unique_ptr<Journal> journal = *Journal::make_shared_memory();
  JournalLine* line = journal->add_task("visits-0", "visits", 0);
  std::uint16_t resolver = journal->add_resolver("count");
  std::uint16_t generation = journal->add_generation(
      {.plugin = "shop", .version = "1.2", .sha256 = "abc", .build_id = "def"}, "/nowhere");
  std::optional<JournalCall> call;

  Fixture() {
    journal->set_owner(4711);
    line->set_record(7, 1);
    line->set_thread();
    call.emplace(*line, Slot::resolve, resolver, generation);
  }
  void set_mark(CrashKind kind, int signal, int code, int sender) const {
    CrashMark& mark = journal->mark();
    mark.kind = kind;
    mark.signal = signal;
    mark.signal_code = code;
    mark.sender = sender;
    mark.line = journal->line_in_call(thread_number());
    mark.taken = 2;
  }
};

TEST_CASE("supervise/crash report: what counts is raised by the process itself in a call") {
  struct Example {
    CrashKind kind;
    int signal;
    int code;
    int sender;
    bool counted;
  };
  for (const Example& example :
       {Example{CrashKind::signal, SIGSEGV, SEGV_MAPERR, 0, true},
        Example{CrashKind::signal, SIGABRT, SI_TKILL, 4711, true},
        Example{CrashKind::signal, SIGABRT, SI_TKILL, 4712, false},
        Example{CrashKind::signal, SIGSEGV, SI_USER, 4712, false},
        Example{CrashKind::signal, SIGSEGV, SI_USER, 0, false},  // from outside of the container
        Example{CrashKind::exit, 0, 0, 0, true}, Example{CrashKind::watchdog, 0, 0, 0, true}}) {
    for (const bool in_call : {true, false}) {
      Fixture fixture;
      if (!in_call) fixture.call.reset();
      fixture.set_mark(example.kind, example.signal, example.code, example.sender);
      const auto report = read_crash(*fixture.journal, nullptr);
      REQUIRE(report.has_value());
      CAPTURE(report->ShortDebugString());
      CHECK(report->counted() == (example.counted && in_call));
      CHECK(!report->verdict().empty());
      if (!in_call) continue;
      CHECK(report->task() == "visits-0");
      CHECK(report->topic() == "visits");
      CHECK(report->resolver() == "count");
      CHECK(report->slot() == "resolve");
      CHECK(report->records().first_offset() == 7);
      CHECK(report->records().last_offset() == 7);
      CHECK(report->plugin() == "shop");
      CHECK(report->build_id() == "def");
    }
  }
}

TEST_CASE("supervise/crash report: an end without a mark") {
  Fixture fixture;
  CHECK(!read_crash(*fixture.journal, nullptr).has_value());
  for (const int signal : {SIGKILL, SIGTERM, SIGXCPU}) {
    const ProcessEnd end{.signal = signal};
    CHECK(!read_crash(*fixture.journal, &end).has_value());
  }
  const ProcessEnd fault{.signal = SIGSEGV};
  const ProcessEnd exit{.code = 0};
  for (const ProcessEnd& end : {fault, exit}) {
    const auto report = read_crash(*fixture.journal, &end);
    REQUIRE(report.has_value());
    CHECK(report->counted());
    CHECK(report->kind() == "unknown");
  }
  // With two calls in flight it may have been either.
  JournalLine* const other = fixture.journal->add_task("visits-1", "visits", 1);
  const JournalCall second(*other, Slot::resolve, fixture.resolver, fixture.generation);
  CHECK(!read_crash(*fixture.journal, &fault)->counted());
}

TEST_CASE("supervise/crash report: files are kept in order up to a bound") {
  const test::TempDir directory;
  v1::CrashReport report;
  for (int i = 0; i < static_cast<int>(crash_reports_max) + 3; ++i) {
    report.set_id(fmt::format("2026-{:06}", i));
    report.set_key(std::string("\x00\xff", 2));
    REQUIRE(write_crash_report(directory.path(), report).has_value());
  }
  std::ofstream(directory.path() / "crashes" / "broken.json") << "{";
  std::vector<std::string> warnings;
  const auto reports = read_crash_reports(directory.path(), warnings);
  REQUIRE(reports.size() == crash_reports_max);
  CHECK(reports.front().id() == "2026-000003");
  CHECK(reports.back().id() == report.id());
  CHECK(reports.back().key() == report.key());
  CHECK(warnings.size() == 1);
  CHECK(forget_crash_report(directory.path(), report.id()).has_value());
  CHECK(forget_crash_report(directory.path(), report.id()).error().code == Errc::not_found);
  CHECK(forget_crash_report(directory.path(), "../crashes/broken").error().code == Errc::not_found);
}

}  // namespace
}  // namespace weir::host
