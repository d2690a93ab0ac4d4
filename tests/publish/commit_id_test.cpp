#include "publish/commit_id.hpp"

#include <doctest/doctest.h>

namespace weir::host {

namespace {

v1::CommitId id(std::uint64_t sequence, std::uint64_t nonce = 7, std::uint64_t lineage = 5) {
  v1::CommitId made;
  made.set_lineage(lineage);
  made.set_sequence(sequence);
  made.set_nonce(nonce);
  return made;
}

v1::Head head(const v1::CommitId& commit, const v1::CommitId& published,
              std::optional<v1::CommitId> before) {
  v1::Head made;
  *made.mutable_commit() = commit;
  *made.mutable_published() = published;
  if (before) *made.mutable_published_before() = *before;
  return made;
}

std::string answer(const std::optional<v1::Head>& at, const std::optional<v1::CommitId>& seen) {
  const auto recovery = reconcile(at, seen);
  if (!recovery) return "halt";
  return *recovery == Recovery::publish_again ? "publish" : "nothing";
}

}  // namespace

TEST_CASE("commit id: its text comes back and nothing else is taken for one") {
  const v1::CommitId commit = id(42, 0xfedcba9876543210, 1);
  const std::string text = to_metadata(commit);

  CHECK(text == "weir1;0000000000000001;42;fedcba9876543210");
  REQUIRE(parse_metadata(text).has_value());
  CHECK(same_commit(*parse_metadata(text), commit));
  for (const char* other :
       {"", "weir1;", "weir1;1;0;1", "weir1;1;2", "weir1;1;2;3;4", "weir2;1;2;3", "weir1;x;2;3",
        "weir1;1;2;3 ", "weir1;1;-2;3", "weir1;11111111111111111;2;3"}) {
    CAPTURE(other);
    CHECK_FALSE(parse_metadata(other).has_value());
  }
}

TEST_CASE("reconcile: every combination of store and log has one answer") {
  // No State yet.
  CHECK(answer(std::nullopt, std::nullopt) == "nothing");
  CHECK(answer(std::nullopt, id(3)) == "halt");

  // The first commit, which is published whether it has output or not.
  CHECK(answer(head(id(1), id(1), std::nullopt), std::nullopt) == "publish");
  CHECK(answer(head(id(1), id(1), std::nullopt), id(1)) == "nothing");
  CHECK(answer(head(id(1), id(1), std::nullopt), id(2)) == "halt");

  // Later ones, none of them with output: the log must still have the first one's mark.
  CHECK(answer(head(id(3), id(1), std::nullopt), id(1)) == "nothing");
  CHECK(answer(head(id(3), id(1), std::nullopt), std::nullopt) == "halt");
  CHECK(answer(head(id(3), id(1), std::nullopt), id(2)) == "halt");

  // The newest commit has output.
  CHECK(answer(head(id(5), id(5), id(3)), id(3)) == "publish");
  CHECK(answer(head(id(5), id(5), id(3)), id(5)) == "nothing");
  CHECK(answer(head(id(5), id(5), id(3)), std::nullopt) == "halt");
  CHECK(answer(head(id(5), id(5), id(3)), id(2)) == "halt");

  // The newest commit had no output, so the one before must be out: the next one waited for it.
  CHECK(answer(head(id(6), id(5), id(3)), id(5)) == "nothing");
  CHECK(answer(head(id(6), id(5), id(3)), id(3)) == "halt");
  CHECK(answer(head(id(6), id(5), id(3)), std::nullopt) == "halt");
}

TEST_CASE("reconcile: the same sequence by another execution is another commit") {
  CHECK(answer(head(id(5, 7), id(5, 7), id(3)), id(5, 8)) == "halt");
  CHECK(answer(head(id(5, 7, 1), id(5, 7, 1), id(3, 7, 1)), id(5, 7, 2)) == "halt");
}

}  // namespace weir::host
