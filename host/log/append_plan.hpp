#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "log/log.hpp"

namespace weir::host {

/// Records of one append, sorted by the partition they go to; each partition keeps their order.
/// A view of the records it was made of.
class AppendPlan {
 public:
  struct Topic {
    std::uint32_t id = 0;
    std::int32_t partition_count = 0;
  };
  struct Partition {
    std::string_view topic;
    std::uint32_t topic_id = 0;
    std::int32_t partition = 0;
    std::span<const NewRecord* const> records;
    std::span<const std::size_t> indexes;  ///< of each of them in the order they were given
  };
  /// A part of one partition that is stored as one batch.
  struct Piece {
    std::span<const NewRecord* const> records;
    std::size_t bytes = 0;  ///< with the batch header
  };

  /// Called once for each topic of an append, or a few times.
  using FindTopic = std::function<Result<Topic>(std::string_view name)>;

  /// Errc::not_found: an unknown topic or partition. Errc::invalid: a record is too large. One of
  /// them refuses them all.
  static Result<AppendPlan> make(std::span<const Publication> publications,
                                 const FindTopic& find_topic);
  static Result<AppendPlan> make(std::span<const NewRecord> records, const FindTopic& find_topic);

  std::span<const Partition> partitions() const { return partitions_; }

  /// Cuts the front of `rest` off: as many records as make a batch of batch_target_bytes.
  static Piece cut(std::span<const NewRecord* const>& rest);

 private:
  Result<void> add(std::span<const NewRecord> records, const FindTopic& find_topic);
  Result<std::size_t> topic_index(std::string_view name, const FindTopic& find_topic);
  void sort();

  struct SeenTopic {
    std::string_view name;
    Topic topic;
    std::vector<std::int32_t> slots;  ///< of each partition; -1: none yet
  };
  std::vector<SeenTopic> topics_;
  std::size_t last_topic_ = 0;
  std::vector<const NewRecord*> given_;
  std::vector<std::int32_t> slot_of_;
  std::vector<std::size_t> counts_;
  std::vector<const NewRecord*> sorted_;
  std::vector<std::size_t> indexes_;
  std::vector<Partition> partitions_;
};

}  // namespace weir::host
