#include "log/rules.hpp"

#include <algorithm>

namespace weir::host {
namespace {

bool is_printable_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

bool is_topic_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

}  // namespace

Result<void> check_topic_name(std::string_view name) {
  if (name.empty() || name.size() > log_name_bytes_max) {
    return error(Errc::invalid, "topic name '{}' has {} characters, expected 1 to {}",
                 printable(name), name.size(), log_name_bytes_max);
  }
  if (name == "." || name == "..") {
    return error(Errc::invalid, "topic name '{}' is not allowed; choose another one", name);
  }
  const auto bad = std::find_if_not(name.begin(), name.end(), is_topic_character);
  if (bad != name.end()) {
    return error(Errc::invalid,
                 "topic name '{}' holds '{}', expected only letters, digits, '.', '_' and '-'",
                 printable(name), printable({&*bad, 1}));
  }
  return {};
}

Result<void> check_partition_count(std::string_view topic, std::int32_t partition_count) {
  if (partition_count >= 1 && partition_count <= partition_count_max) return {};
  return error(Errc::invalid, "topic '{}' cannot have {} partitions, expected 1 to {}", topic,
               partition_count, partition_count_max);
}

Result<void> check_name(std::string_view what, std::string_view name) {
  if (name.empty() || name.size() > log_name_bytes_max) {
    return error(Errc::invalid, "the name of {} '{}' has {} bytes, expected 1 to {}", what,
                 printable(name), name.size(), log_name_bytes_max);
  }
  if (!is_printable_ascii(name)) {
    return error(Errc::invalid, "the name of {} '{}' must be printable ASCII", what,
                 printable(name));
  }
  return {};
}

Result<void> check_publications(std::span<const Publication> publications) {
  for (const Publication& publication : publications) {
    if (publication.marks.empty()) {
      return error(Errc::invalid,
                   "a publication without marks cannot be fenced; repeat the marks of the last "
                   "one when no offset moved");
    }
    for (const Mark& mark : publication.marks) {
      if (mark.next_offset < 0) {
        return error(Errc::invalid, "the mark of topic '{}' partition {} is at offset {}, below 0",
                     mark.input.topic, mark.input.partition, mark.next_offset);
      }
      if (mark.metadata.size() > mark_metadata_bytes_max || !is_printable_ascii(mark.metadata)) {
        return error(Errc::invalid,
                     "the metadata of the mark of topic '{}' partition {} has {} bytes ('{}'), "
                     "expected at most {} of printable ASCII",
                     mark.input.topic, mark.input.partition, mark.metadata.size(),
                     printable(mark.metadata), mark_metadata_bytes_max);
      }
    }
  }
  return {};
}

Error no_such_topic(std::string_view name) {
  return error(Errc::not_found, "topic '{}' does not exist; create it first", printable(name));
}

Error no_such_partition(std::string_view topic, std::int32_t partition,
                        std::int32_t partition_count) {
  return error(Errc::not_found, "topic '{}' has no partition {}, only 0 to {}", topic, partition,
               partition_count - 1);
}

Error other_partition_count(std::string_view topic, std::int32_t exists, std::int32_t asked) {
  return error(Errc::refused,
               "topic '{}' exists with {} partitions, not {}; ask for {} or use another topic "
               "(changing the number would move keys away from their State)",
               topic, exists, asked, exists);
}

Error position_out_of_range(std::string_view topic, std::int32_t partition, std::int64_t position,
                            const OffsetRange& range) {
  return error(Errc::not_found,
               "topic '{}' partition {} has no position {}, only {} to {}; records there were "
               "deleted or never written",
               topic, partition, position, range.begin, range.end);
}

Error fenced(std::string_view group, std::string_view id) {
  return error(Errc::refused,
               "producer '{}' of group '{}' was replaced by a newer one; another host of this app "
               "has taken over, stop this one",
               id, group);
}

Result<void> Log::admit(const Membership& membership) {
  if (!membership.admit) return {};
  for (const std::string& name : membership.topics) {
    WEIR_TRY(const auto info, topic(name));
    if (!info) return no_such_topic(name);
    for (std::int32_t partition = 0; partition < info->partition_count; ++partition) {
      const TopicPartition input{name, partition};
      WEIR_TRY(const auto mark, committed(membership.group, input));
      WEIR_CHECK(membership.admit(input, mark));
    }
  }
  return {};
}

}  // namespace weir::host
