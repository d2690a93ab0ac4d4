// What noting a call costs: every record pays it once in each resolver.
#include <benchmark/benchmark.h>

#include <string_view>

#include "base/journal_line.hpp"
#include "supervise/journal.hpp"

namespace weir::host {
namespace {

/// As ResolverInstance::resolve() does, around a call that does nothing.
void note_a_call(benchmark::State& state) {
  const auto journal = *Journal::make_shared_memory();
  JournalLine& line = *journal->add_task("visits-0", "visits", 0);
  const std::string_view key = "user-4711";
  std::int64_t offset = 0;
  for (auto _ : state) {
    line.set_record(++offset, 1);
    line.set_key(key);
    const JournalCall call(line, Slot::resolve, 1, 1);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(note_a_call);

}  // namespace
}  // namespace weir::host

BENCHMARK_MAIN();
