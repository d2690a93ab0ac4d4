#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "log/kafka/kafka_properties.hpp"
#include "log/kafka/kafka_statistics.hpp"

namespace weir::host {

/// What the clients of one log say of themselves once a second, as figures for the operator. A
/// client leaves its JSON here as it is; whoever asks for the figures has it read. [any]
class KafkaFigures {
 public:
  /// One client's place. Its counters stay in the sums when it is gone.
  class Source {
   public:
    ~Source();
    Source(const Source&) = delete;
    Source& operator=(const Source&) = delete;

    void update(std::string json);

   private:
    friend class KafkaFigures;
    explicit Source(KafkaFigures& figures) : figures_(figures) {}
    KafkaFigures& figures_;
  };

  /// Not longer than these figures.
  std::unique_ptr<Source> add(KafkaRole role);

  /// Adds figures, ends and summary.
  void report(LogHealth& health) const;

  /// What a client of this role said last, as JSON; empty: nothing yet.
  std::string newest(KafkaRole role) const;

 private:
  struct Said {
    KafkaRole role;
    std::uint64_t number = 0;  ///< grows: a consumer may live on for a while beside its successor
    std::shared_ptr<const std::string> json{};  ///< null: nothing yet
    std::chrono::steady_clock::time_point at{};
  };
  /// By role and broker.
  using Gone = std::map<std::pair<KafkaRole, std::string>, KafkaCounters>;

  mutable std::mutex mutex_;
  std::map<const Source*, Said> said_;  // guarded by mutex_
  Gone gone_;                           // guarded by mutex_
  std::uint64_t next_number_ = 0;       // guarded by mutex_
};

}  // namespace weir::host
