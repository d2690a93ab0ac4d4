#include "supervise/journal.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include "support/temp_dir.hpp"

namespace weir::host {
namespace {

TEST_CASE("supervise/journal: what one process notes another one reads") {
  const auto journal = *Journal::make_shared_memory();
  JournalLine* const line = journal->add_task("visits-0", "visits", 3);
  REQUIRE(line != nullptr);
  const std::uint16_t resolver = journal->add_resolver("count");
  CHECK(journal->add_resolver("count") == resolver);
  line->set_thread();
  CHECK(journal->line_in_call(thread_number()) == -1);
  const JournalCall call(*line, Slot::resolve, resolver, 0);
  CHECK(journal->line_in_call(thread_number()) == 1);
  CHECK(journal->line_in_call(thread_number() + 1) == -1);

  const auto other = *Journal::inherit(dup(journal->fd()));
  REQUIRE(other->line_count() == 2);
  CHECK(other->names(1).task == "visits-0");
  CHECK(other->names(1).topic == "visits");
  CHECK(other->names(1).partition == 3);
  CHECK(other->resolver(resolver) == "count");
  CHECK(JournalLine::slot_of(other->lines()[1].call) == Slot::resolve);

  journal->clear();
  CHECK(other->line_count() == 1);
  CHECK(other->mark().taken == 0);
}

TEST_CASE("supervise/journal: two calls of one slot differ and so do a call and its end") {
  JournalLine line;
  std::uint64_t last = line.call;
  for (int i = 0; i < 3; ++i) {
    {
      const JournalCall call(line, Slot::resolve, 1, 1);
      CHECK(line.call != last);
      CHECK(JournalLine::slot_of(line.call) == Slot::resolve);
      last = line.call;
    }
    CHECK(JournalLine::slot_of(line.call) == Slot::none);
    CHECK(line.call != last);
  }
}

TEST_CASE("supervise/journal: numbers of generations are given again") {
  const auto journal = *Journal::make_shared_memory();
  const Journal::Generation build{.plugin = "shop", .version = "1", .sha256 = "a"};
  for (std::size_t i = 1; i < Journal::generations_max; ++i) {
    CHECK(journal->add_generation(build, "/nowhere") == i);
  }
  CHECK(journal->add_generation(build, "/nowhere") == 0);
  journal->remove_generation(5);
  CHECK(!journal->generation(5).has_value());
  CHECK(journal->add_generation(build, "/nowhere") == 5);
}

TEST_CASE("supervise/journal: another file is no journal") {
  const test::TempDir directory;
  {
    const auto journal = *Journal::make_file(directory.path() / "journal");
    CHECK(Journal::inherit(dup(journal->fd())).has_value());
    REQUIRE(ftruncate(journal->fd(), 100) == 0);
    CHECK(Journal::inherit(dup(journal->fd())).error().code == Errc::invalid);
  }
}

}  // namespace
}  // namespace weir::host
