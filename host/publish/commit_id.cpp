#include "publish/commit_id.hpp"

#include <charconv>
#include <random>

#include <fmt/format.h>

#include "base/bytes.hpp"

namespace weir::host {

namespace {

constexpr std::string_view prefix = "weir1;";

bool take_number(std::string_view& text, int base, char end, std::uint64_t& value) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (result.ec != std::errc{}) return false;
  text.remove_prefix(static_cast<std::size_t>(result.ptr - text.data()));
  if (end == '\0') return text.empty();
  if (text.empty() || text.front() != end) return false;
  text.remove_prefix(1);
  return true;
}

bool is_set(const v1::CommitId& id) { return id.sequence() != 0; }

}  // namespace

v1::CommitId next_commit_id(std::uint64_t lineage, const std::optional<v1::Head>& last) {
  std::random_device device;
  v1::CommitId id;
  id.set_lineage(lineage);
  id.set_sequence(last ? last->commit().sequence() + 1 : 1);
  id.set_nonce((std::uint64_t{device()} << 32) | device());
  return id;
}

std::string to_metadata(const v1::CommitId& id) {
  return fmt::format("{}{:016x};{};{:016x}", prefix, id.lineage(), id.sequence(), id.nonce());
}

std::optional<v1::CommitId> parse_metadata(std::string_view metadata) {
  if (!metadata.starts_with(prefix)) return std::nullopt;
  metadata.remove_prefix(prefix.size());
  std::uint64_t lineage = 0;
  std::uint64_t sequence = 0;
  std::uint64_t nonce = 0;
  if (!take_number(metadata, 16, ';', lineage) || !take_number(metadata, 10, ';', sequence) ||
      !take_number(metadata, 16, '\0', nonce) || sequence == 0) {
    return std::nullopt;
  }
  v1::CommitId id;
  id.set_lineage(lineage);
  id.set_sequence(sequence);
  id.set_nonce(nonce);
  return id;
}

bool same_commit(const v1::CommitId& a, const v1::CommitId& b) {
  return a.lineage() == b.lineage() && a.sequence() == b.sequence() && a.nonce() == b.nonce();
}

Result<Recovery> reconcile(const std::optional<v1::Head>& head,
                           const std::optional<v1::CommitId>& seen) {
  const auto refuse = [&](std::string_view what) {
    return error(Errc::refused,
                 "{}; the log has seen commit {}, the state directory is at {} (last published {})",
                 what, seen ? to_metadata(*seen) : "none",
                 head ? to_metadata(head->commit()) : "none",
                 head && is_set(head->published()) ? to_metadata(head->published()) : "none");
  };

  if (!head) {
    if (seen) return refuse("the log has output of this app, but the task has no State");
    return Recovery::nothing_pending;
  }
  const v1::CommitId& published = head->published();
  if (seen && same_commit(*seen, published)) return Recovery::nothing_pending;

  const bool newest_is_pending = same_commit(published, head->commit());
  const v1::CommitId& before = head->published_before();
  const bool seen_is_before = is_set(before) ? seen && same_commit(*seen, before) : !seen;
  if (newest_is_pending && seen_is_before) return Recovery::publish_again;
  if (!seen) return refuse("the log has lost its mark of this app: it was deleted, or expired");
  return refuse("the log and the state directory do not belong together");
}

Result<Recovery> reconcile_with_mark(const std::optional<v1::Head>& head,
                                     const std::optional<Mark>& mark) {
  if (!mark) return reconcile(head, std::optional<v1::CommitId>{});
  const std::optional<v1::CommitId> seen = parse_metadata(mark->metadata);
  if (seen) return reconcile(head, seen);
  return error(Errc::refused,
               "the log's mark of this app is at offset {} (\"{}\"), and Weir did not write it: "
               "another program has set the offsets of this group",
               mark->next_offset, printable(mark->metadata));
}

}  // namespace weir::host
