#include "log/kafka/kafka_reader.hpp"

#include <algorithm>
#include <utility>

#include "base/limits.hpp"
#include "log/kafka/kafka_error.hpp"
#include "log/kafka/kafka_member.hpp"
#include "log/rules.hpp"

namespace weir::host {
namespace {

MaybeBytes bytes_of(const void* data, std::size_t size) {
  if (data == nullptr) return std::nullopt;
  return std::string_view(static_cast<const char*>(data), size);
}

std::size_t size_of(const rd_kafka_message_t& message) { return message.len + message.key_len; }

}  // namespace

Result<std::unique_ptr<Reader>> KafkaReader::open_single(std::shared_ptr<KafkaContext> context,
                                                         const TopicPartition& partition,
                                                         std::int64_t offset) {
  WEIR_TRY(auto consumer, KafkaConsumer::open_single(std::move(context), partition));
  KafkaLane* const lane = consumer->take_lane(partition, offset);
  std::unique_ptr<KafkaReader> self(new KafkaReader(std::move(consumer), *lane, offset));
  WEIR_CHECK(self->restart(offset));
  return std::unique_ptr<Reader>(std::move(self));
}

Result<std::unique_ptr<Reader>> KafkaReader::open_lane(std::shared_ptr<KafkaMember> member,
                                                       const TopicPartition& partition,
                                                       std::int64_t offset) {
  WEIR_TRY(auto consumer, member->consumer());
  if (consumer == nullptr) {
    return error(Errc::unavailable, "the group has no member at the moment; try again");
  }
  KafkaLane* const lane = consumer->take_lane(partition, offset);
  if (lane == nullptr) return std::unique_ptr<Reader>();
  std::unique_ptr<KafkaReader> self(new KafkaReader(std::move(consumer), *lane, offset));
  self->member_ = std::move(member);
  return std::unique_ptr<Reader>(std::move(self));
}

KafkaReader::KafkaReader(std::shared_ptr<KafkaConsumer> consumer, KafkaLane& lane,
                         std::int64_t offset)
    : consumer_(std::move(consumer)), lane_(&lane), position_(offset), window_end_(offset) {}

KafkaReader::~KafkaReader() { consumer_->leave_lane(*lane_); }

Result<bool> KafkaReader::has_consumer() {
  const auto fine = consumer_->check();
  if (!fine && member_ != nullptr && consumer_->is_fenced()) return change_consumer();
  WEIR_CHECK(fine);
  return true;
}

Result<bool> KafkaReader::change_consumer() {
  WEIR_TRY(auto next, member_->consumer());
  if (next == nullptr || next == consumer_) return false;
  KafkaLane* const lane = next->take_lane(lane_->partition, position_);
  if (lane == nullptr) return false;
  forget();  // messages end before their client
  consumer_->leave_lane(*lane_);
  consumer_ = std::move(next);
  lane_ = lane;
  return true;
}

void KafkaReader::forget() {
  window_.clear();
  records_.clear();
  next_ = 0;
  error_.reset();
  is_at_end_ = false;
  was_long_ = false;
  window_end_ = position_;
}

Result<void> KafkaReader::restart(std::int64_t offset) {
  position_ = offset;
  forget();
  lane_->position = offset;
  if (offset < 0) {  // a number with another meaning to librdkafka
    error_ = out_of_range();
    return {};
  }
  WEIR_TRY(const bool has_consumer, this->has_consumer());
  if (!has_consumer) return {};  // the next one starts there
  if (auto started = consumer_->start_lanes(); !started) {
    return consumer_->is_fenced() ? Result<void>{} : started;
  }
  const auto patience = consumer_->context().options.patience;
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (window_.empty() && !is_at_end_ && !error_) {
    WEIR_CHECK(refill(1, std::chrono::milliseconds(100)));
    if (std::chrono::steady_clock::now() < deadline) continue;
    return error(Errc::unavailable, "no broker gave records of topic '{}' partition {}; {}",
                 lane_->partition.topic, lane_->partition.partition,
                 consumer_->context().health.trouble().value_or("none said why"));
  }
  return {};
}

Result<void> KafkaReader::seek(std::int64_t offset) {
  const auto held = std::find_if(window_.begin(), window_.end(), [&](const KafkaMessage& message) {
    return message->offset >= offset;
  });
  const bool is_in_window = held != window_.end() && (*held)->offset == offset;
  if (!is_in_window && offset != position_) return restart(offset);
  if (is_in_window) next_ = static_cast<std::size_t>(held - window_.begin());
  position_ = offset;
  return {};
}

Result<std::span<const Record>> KafkaReader::fetch(FetchLimit limit) {
  records_.clear();
  headers_.clear();
  WEIR_TRY(const bool has_consumer, this->has_consumer());
  if (!has_consumer) return std::span<const Record>();
  if (!lane_->is_started.load(std::memory_order_relaxed)) {
    auto started = consumer_->start_lanes();
    if (!started && consumer_->is_fenced()) return std::span<const Record>();
    WEIR_CHECK(started);
  }
  if (next_ == window_.size()) {
    if (error_) return *error_;
    // Until there is a record or really nothing: a queue that keeps something tells nobody about
    // what comes behind it.
    for (bool took = true; took;) {
      if (error_) return *error_;
      WEIR_TRY(took, refill(limit.records, std::chrono::milliseconds(0)));
      if (!window_.empty()) break;
    }
  }
  std::size_t bytes = 0;
  while (next_ < window_.size() && records_.size() < limit.records) {
    const rd_kafka_message_t& message = *window_[next_];
    bytes += size_of(message);
    if (bytes > limit.bytes && !records_.empty()) break;
    add(message);
    ++next_;
  }
  position_ = next_ == window_.size() ? window_end_ : records_.back().offset + 1;
  lane_->position.store(position_, std::memory_order_relaxed);
  return std::span<const Record>(records_);
}

Result<bool> KafkaReader::refill(std::size_t count, std::chrono::milliseconds timeout) {
  window_.clear();
  next_ = 0;
  taken_.resize(count);
  const ssize_t size = rd_kafka_consume_batch_queue(lane_->queue.get(), to_int(timeout),
                                                    taken_.data(), taken_.size());
  if (size < 0) {
    return kafka_error(
        rd_kafka_last_error(),
        fmt::format("topic '{}' partition {}", lane_->partition.topic, lane_->partition.partition));
  }
  for (ssize_t i = 0; i < size; ++i) take(KafkaMessage(taken_[static_cast<std::size_t>(i)]));
  if (size > 0) consumer_->context().health.good();
  look_at_queue();
  return size > 0;
}

void KafkaReader::take(KafkaMessage message) {
  if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
    window_end_ = std::max(window_end_, message->offset);
    is_at_end_ = true;
    return;
  }
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) return take_error(*message);
  is_at_end_ = false;
  // What an assignment before this one had still on its way, or a queue gave twice.
  if (message->offset < window_end_ || error_) return;
  window_end_ = message->offset + 1;
  window_.push_back(std::move(message));
}

void KafkaReader::take_error(const rd_kafka_message_t& message) {
  const std::string what =
      fmt::format("topic '{}' partition {} at offset {}", lane_->partition.topic,
                  lane_->partition.partition, window_end_);
  if (message.err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
      message.err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
    error_ = out_of_range();
  } else if (is_transient(message.err)) {
    consumer_->context().health.bad(fmt::format("{}: {}", what, rd_kafka_message_errstr(&message)));
  } else if (message.err == RD_KAFKA_RESP_ERR__BAD_MSG ||
             message.err == RD_KAFKA_RESP_ERR__BAD_COMPRESSION ||
             message.err == RD_KAFKA_RESP_ERR_INVALID_MSG) {
    error_ = error(Errc::corrupt, "{}: {}", what, rd_kafka_message_errstr(&message));
  } else {
    error_ = kafka_error(message.err, what, rd_kafka_message_errstr(&message));
  }
}

Error KafkaReader::out_of_range() const {
  return position_out_of_range(lane_->partition.topic, lane_->partition.partition, window_end_,
                               consumer_->watermarks(lane_->partition));
}

void KafkaReader::look_at_queue() {
  std::size_t bytes = 0;
  for (const KafkaMessage& message : window_) bytes += size_of(*message);
  if (!window_.empty()) message_bytes_ = bytes / window_.size() + 1;
  const std::size_t length = rd_kafka_queue_length(lane_->queue.get());
  const std::size_t messages_low = consumer_->queued_messages_low();
  const std::size_t bytes_low = consumer_->queued_bytes_low();
  // Only a queue that was full is not filled by itself; half of what is low is far from full.
  was_long_ = !is_at_end_ && (was_long_ || length + window_.size() >= messages_low / 2 ||
                              length * message_bytes_ + bytes >= bytes_low / 2);
  const bool is_low = length < messages_low && length * message_bytes_ < bytes_low;
  if (is_low && was_long_) {
    consumer_->lane_is_hungry(*lane_);
  } else if (lane_->is_hungry.load(std::memory_order_relaxed)) {
    lane_->is_hungry.store(false, std::memory_order_relaxed);
  }
}

void KafkaReader::add(const rd_kafka_message_t& message) {
  Record record;
  record.key = bytes_of(message.key, message.key_len);
  record.value = bytes_of(message.payload, message.len);
  record.offset = message.offset;
  rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  record.timestamp_ms = std::max<std::int64_t>(rd_kafka_message_timestamp(&message, &type), 0);
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
    std::vector<Header>& kept = headers_.emplace_back();
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    for (std::size_t i = 0;
         rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
         ++i) {
      kept.push_back(Header{name, bytes_of(value, size)});
    }
    record.headers = kept;
  }
  records_.push_back(record);
}

}  // namespace weir::host
