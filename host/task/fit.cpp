#include "task/fit.hpp"

#include <chrono>

#define XXH_INLINE_ALL
#include <fmt/format.h>
#include <xxhash.h>

namespace weir::host {

namespace {

/// Records that a log has already promised are on their way.
constexpr std::chrono::milliseconds patience{100};

/// Absent and empty differ.
XXH64_hash_t digest(const MaybeBytes& bytes, XXH64_hash_t seed) {
  return bytes ? XXH3_64bits_withSeed(bytes->data(), bytes->size(), seed) : seed + 1;
}

std::string reset(const Fit& fit, std::string_view options) {
  return fmt::format("weir reset {} --source {} {}", fit.yaml, fit.source, options);
}

std::string reset_partition(const Fit& fit, std::string_view options) {
  return reset(fit, fmt::format("--partition {} {}", fit.input.partition, options));
}

std::string way_out(const Fit& fit, const std::optional<v1::Head>& head,
                    const std::optional<Mark>& mark) {
  const std::string anew = reset(fit, "--to earliest --state drop");
  const std::string stay = reset(fit, "--to current --state keep");
  if (!head) {
    return fmt::format("restore the state directory that belongs to this log, or begin anew: {}",
                       anew);
  }
  if (!mark) return fmt::format("go on where the State stands: {}", stay);
  const auto seen = parse_metadata(mark->metadata);
  if (!seen) {
    const std::string there = fmt::format("--to {} --state keep", mark->next_offset);
    return fmt::format("go on where the State stands: {}, or where the mark stands: {}", stay,
                       reset_partition(fit, there));
  }
  if (seen->lineage() == head->commit().lineage()) {
    return fmt::format("restore the newest State, or make it anew: {}", anew);
  }
  return fmt::format(
      "restore the state directory that belongs to this log, give this app another name, or let "
      "this State take over: {}",
      stay);
}

}  // namespace

Result<void> check_input(const Fit& fit, const v1::Input& input, const OffsetRange& range) {
  const std::string keep = reset(fit, "--to earliest --state keep");
  const std::string drop = reset(fit, "--to earliest --state drop");
  if (input.topic() != fit.input.topic) {
    return error(Errc::refused,
                 "source {} reads topic {}, its State comes from topic {}; give the new topic a "
                 "source of its own, or take the State along: {}, or make it anew: {}",
                 fit.source, fit.input.topic, input.topic(), keep, drop);
  }
  if (input.partition_count() != fit.partition_count) {
    return error(Errc::refused,
                 "topic {} has {} partitions, the State was made with {}; its keys are in other "
                 "partitions now, so it cannot be kept; make it anew: {}",
                 input.topic(), fit.partition_count, input.partition_count(), drop);
  }
  if (input.topic_identity() != fit.topic_identity) {
    return error(
        Errc::refused,
        "topic {} was deleted and made again since the last run; read its new records with "
        "the State that is there: {}, or make it anew from them: {}",
        input.topic(), keep, drop);
  }
  const std::string where =
      fmt::format("topic {} partition {} holds offsets {} to {}, the State goes on at {}",
                  input.topic(), input.partition(), range.begin, range.end, input.next_offset());
  if (input.next_offset() < range.begin) {
    return error(Errc::refused,
                 "{}; the records in between are gone: restore the log, or go on without them: {}",
                 where, reset_partition(fit, "--to earliest --state keep"));
  }
  if (input.next_offset() > range.end) {
    return error(
        Errc::refused,
        "{}; the log has lost records, or is another one: restore the log, or read what is "
        "there with the State: {}, or make it anew: {}",
        where, keep, drop);
  }
  return {};
}

v1::LastRecord last_record(const Record& record) {
  v1::LastRecord out;
  out.set_offset(record.offset);
  out.set_digest(
      digest(record.value, digest(record.key, static_cast<XXH64_hash_t>(record.timestamp_ms))));
  return out;
}

Result<void> check_record(const Fit& fit, const v1::LastRecord& last, const Record& found) {
  if (found.offset != last.offset() || last_record(found).digest() == last.digest()) return {};
  return error(Errc::refused,
               "topic {} partition {} holds another record at offset {} than the State was made "
               "from: the topic was deleted and made again, or has lost records and taken others; "
               "make the State anew from what is there: {}, or, if the topic is a new one, read it "
               "with the State that is there: {}",
               fit.input.topic, fit.input.partition, last.offset(),
               reset(fit, "--to earliest --state drop"), reset(fit, "--to earliest --state keep"));
}

Result<void> check_last_record(const Fit& fit, const v1::Input& input, const OffsetRange& range,
                               Log& log) {
  const std::int64_t offset = input.last().offset();
  if (!input.has_last() || offset < range.begin || offset >= range.end) return {};
  WEIR_TRY(const auto reader, log.open_reader(fit.input, offset));
  while (reader->position() <= offset) {
    WEIR_TRY(const auto found, reader->fetch({.records = 1}));
    if (!found.empty()) return check_record(fit, input.last(), found.front());
    if (reader->position() <= offset) log.wait_for_records(patience);
  }
  return {};
}

Result<Recovery> check_mark(const Fit& fit, const std::optional<v1::Head>& head,
                            const std::optional<Mark>& mark) {
  auto answer = reconcile_with_mark(head, mark);
  if (answer) return answer;
  Error refusal = std::move(answer).error();
  refusal.message += "; " + way_out(fit, head, mark);
  return refusal;
}

}  // namespace weir::host
