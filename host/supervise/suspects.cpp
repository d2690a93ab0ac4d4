#include "supervise/suspects.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "supervise/crash_report.hpp"

namespace weir::host {

namespace {

bool same_code(const v1::CrashReport& a, const v1::CrashReport& b) {
  return a.resolver() == b.resolver() && a.sha256() == b.sha256();
}

bool names_record(const v1::CrashReport& report) {
  return report.has_records() && report.records().first_offset() == report.records().last_offset();
}

bool same_subject(const v1::CrashReport& a, const v1::CrashReport& b) {
  if (!same_code(a, b)) return false;
  if (a.has_timer_ms() || b.has_timer_ms()) {
    return a.has_timer_ms() && b.has_timer_ms() && a.timer_ms() == b.timer_ms() &&
           a.key() == b.key();
  }
  return names_record(a) && names_record(b) &&
         a.records().first_offset() == b.records().first_offset();
}

/// A crash of prepare() over several records, `one` of which is it.
bool covers(const v1::CrashReport& several, const v1::CrashReport& one) {
  return several.slot() == "prepare" && one.slot() == "prepare" && same_code(several, one) &&
         several.has_records() && !names_record(several) &&
         several.records().first_offset() <= one.records().first_offset() &&
         one.records().first_offset() <= several.records().last_offset();
}

void add_crashed(const v1::CrashReport& newest, int times, Suspects& out) {
  Suspects::Crashed crashed;
  crashed.resolver = newest.resolver();
  crashed.sha256 = newest.sha256();
  crashed.timer = newest.has_timer_ms();
  crashed.at = crashed.timer ? newest.timer_ms() : newest.records().first_offset();
  crashed.in_prepare = newest.slot() == "prepare";
  crashed.key = newest.key();
  crashed.report = newest.id();
  crashed.reason = fmt::format("{}, {} times; `weir crashes {}` says where", headline(newest),
                               times, newest.id());
  out.crashed.push_back(std::move(crashed));
}

}  // namespace

Suspects suspects_of(std::span<const v1::CrashReport> reports, std::string_view task) {
  Suspects out;
  std::vector<const v1::CrashReport*> own;
  for (const v1::CrashReport& report : reports) {
    if (report.counted() && report.task() == task) own.push_back(&report);
  }
  std::vector<const v1::CrashReport*> done;
  for (auto newest = own.rbegin(); newest != own.rend(); ++newest) {
    const v1::CrashReport& report = **newest;
    if (report.has_records() && !names_record(report)) {
      if (report.slot() == "prepare") {
        out.careful.push_back({report.records().first_offset(), report.records().last_offset()});
      }
      continue;
    }
    const auto is_same = [&](const v1::CrashReport* other) { return same_subject(*other, report); };
    if (!report.has_records() && !report.has_timer_ms()) continue;
    if (std::any_of(done.begin(), done.end(), is_same)) continue;
    done.push_back(&report);
    auto times = static_cast<int>(std::count_if(own.begin(), own.end(), is_same));
    times += std::any_of(own.begin(), own.end(),
                         [&](const v1::CrashReport* other) { return covers(*other, report); })
                 ? 1
                 : 0;
    if (times >= crashes_per_record_max) add_crashed(report, times, out);
  }

  // The newest ones, back to the first that is of another kind or after which the task got on.
  if (own.empty()) return out;
  const v1::CrashReport& last = *own.back();
  if (last.has_records() || last.has_timer_ms()) return out;
  int in_a_row = 0;
  for (auto one = own.rbegin(); one != own.rend(); ++one) {
    const v1::CrashReport& report = **one;
    if (report.has_records() || report.has_timer_ms() || !same_code(report, last) ||
        report.slot() != last.slot() || report.key() != last.key()) {
      break;
    }
    ++in_a_row;
    if (report.commits() > 0) break;
  }
  if (in_a_row >= crashes_without_record_max) {
    out.stuck.push_back(
        {last.resolver(), last.sha256(),
         fmt::format("{}, {} times in a row, and no record is known to be why; give the plugin "
                     "another build, or try this one again after `weir crashes --forget {}`",
                     headline(last), in_a_row, last.id())});
  }
  return out;
}

}  // namespace weir::host
