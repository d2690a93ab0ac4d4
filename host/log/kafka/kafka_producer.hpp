#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "log/kafka/kafka_admin.hpp"
#include "log/kafka/kafka_member.hpp"
#include "log/log.hpp"

namespace weir::host {

/// A transactional producer; or, at least once, an idempotent one whose marks follow its records.
class KafkaProducer final : public Producer {
 public:
  struct Options {
    std::string group;
    std::string id;
    bool exactly_once = true;
    std::shared_ptr<KafkaMember> member;  ///< the group's; null: the group has none
  };

  /// Fences earlier producers of the same group and id, and ends what they had open.
  static Result<std::unique_ptr<KafkaProducer>> open(std::shared_ptr<KafkaContext> context,
                                                     std::shared_ptr<KafkaAdmin> admin,
                                                     Options options);
  ~KafkaProducer() override;

  Result<void> publish(std::span<const Publication> publications) override;

  /// Records without marks, in a transaction of their own; the offset of each.
  Result<std::vector<std::int64_t>> append(std::span<const NewRecord> records);

 private:
  struct Target {
    KafkaTopic topic;
    std::int32_t partition_count = 0;
  };
  /// The first record that did not get through.
  struct Failure {
    rd_kafka_resp_err_t code;
    std::string topic;
    std::int32_t partition;
    std::size_t bytes;
  };
  /// What an answer of librdkafka means for the transaction.
  enum class Next { go_on, again, abort, give_up };

  KafkaProducer(std::shared_ptr<KafkaAdmin> admin, Options options);
  Result<void> start(std::shared_ptr<KafkaContext> context);
  /// A broker that dies while a transaction ends may keep its marks open, although the transaction
  /// is over, and whoever asks for marks waits for ever. The next transaction of the same producer
  /// ends them; this one is aborted.
  Result<void> end_stray_marks();
  void close();
  Result<void> check_targets(std::span<const NewRecord> records);
  Result<Target*> target(std::string_view topic);
  Result<KafkaMembership> membership() const;
  /// Errc::unavailable: the group may have been another's since it was opened. Errc::refused: it
  /// is.
  Result<void> check_generation() const;
  Error fencing() const;

  /// The same for records: one of each partition that `publications` go to, aborted with whatever
  /// else this producer has there. What is left of an attempt would come out with the next commit.
  Result<void> end_stray_records(std::span<const Publication> publications, bool& retry);
  /// Again where nothing happened and it may work: after an aborted transaction librdkafka 2.0.2
  /// counts on from sequence numbers that the broker has not seen, and only then mends itself.
  Result<void> attempt(std::span<const Publication> publications);
  /// One attempt. `retry` is set when nothing happened and it may work the next time.
  Result<void> transact(std::span<const Publication> publications, bool& retry);
  /// Whatever fails from here on: it is not known whether it happened.
  Result<void> commit(std::span<const Publication> publications);
  /// A broker may answer a commit, end, and never write it down where records and marks are. It is
  /// out when others can see the marks.
  Result<void> await_marks(std::span<const Mark> marks, std::uint64_t troubles);
  /// Ends a transaction that failed before its commit.
  Result<void> take_back(Error failure, bool& retry);
  Result<void> publish_at_least_once(std::span<const Publication> publications);
  Result<void> produce(std::span<const NewRecord> records, std::int64_t* offsets);
  Result<void> produce_one(const NewRecord& record, std::int64_t* offset);
  Result<void> commit_as_member(std::span<const Mark> marks);
  /// Of all records that were produced.
  Result<void> await_delivery(std::chrono::milliseconds patience);
  Result<void> find_coordinator();
  Result<void> send_marks(std::span<const Publication> publications);
  /// Calls until it is done, was told to stop, or (Next::again) patience is over.
  template <typename Call>
  Result<void> until_done(std::string_view what, std::chrono::milliseconds patience, Call call);
  template <typename Call>
  Result<void> until_done(std::string_view what, Call call);
  Result<void> begin();
  Result<void> try_abort();
  /// With another client where this one does not come to the end of it.
  Result<void> abort();
  /// Another client in place of one that does not answer; it ends what that had open.
  Result<void> renew();
  Error failure_error(Error otherwise);
  Error give_up(Error reason);
  std::string name() const;
  void delivered(const rd_kafka_message_t& message);
  void serve();

  std::shared_ptr<KafkaAdmin> admin_;
  Options options_;
  /// Held while the client is in use: between two uses the group's member polls it.
  std::mutex busy_;
  std::shared_ptr<KafkaContext> upkept_in_;  ///< null: nowhere
  std::unique_ptr<KafkaClient> client_;
  std::map<std::string, Target, std::less<>> targets_;
  std::optional<Failure> failure_;
  std::optional<Error> dead_;
  std::uint64_t generation_ = 0;    // of the member when it was opened
  bool knows_coordinator_ = false;  // client_ does
  std::uint64_t troubles_ = 0;      // of the log, when client_ came to know it
  /// Troubles of the log at the first abort that nothing committed has followed: a broker that ends
  /// then may never write the abort down, and the next commit would also be that of what was
  /// aborted.
  std::optional<std::uint64_t> aborted_at_;
  Next next_ = Next::go_on;            // of the last until_done()
  rd_kafka_resp_err_t last_code_{};    // of the last until_done()
  std::vector<std::int64_t> offsets_;  // of append(), which delivery reports fill
};

}  // namespace weir::host
