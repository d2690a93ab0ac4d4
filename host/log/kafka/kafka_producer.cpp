#include "log/kafka/kafka_producer.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "log/kafka/kafka_error.hpp"
#include "log/rules.hpp"

namespace weir::host {
namespace {

using namespace std::chrono_literals;

constexpr int attempts_max = 5;
constexpr auto retry_wait = 20ms;
constexpr auto transaction_timeout = 10s;
constexpr int abort_step_ms = 1000;
constexpr std::chrono::milliseconds marks_wait_min{1};
constexpr std::chrono::milliseconds marks_wait_max{50};

rd_kafka_vu_t field(rd_kafka_vtype_t type) {
  rd_kafka_vu_t out{};
  out.vtype = type;
  return out;
}

/// Absent is a null pointer to librdkafka, empty is not.
rd_kafka_vu_t bytes_field(rd_kafka_vtype_t type, const MaybeBytes& bytes) {
  rd_kafka_vu_t out = field(type);
  out.u.mem.ptr = nullptr;
  out.u.mem.size = 0;
  if (bytes) {
    out.u.mem.ptr = const_cast<char*>(bytes->empty() ? "" : bytes->data());
    out.u.mem.size = bytes->size();
  }
  return out;
}

KafkaHeaders to_kafka(std::span<const Header> headers) {
  if (headers.empty()) return nullptr;
  KafkaHeaders out(rd_kafka_headers_new(headers.size()));
  for (const Header& header : headers) {
    const char* value = nullptr;
    if (header.value) value = header.value->empty() ? "" : header.value->data();
    rd_kafka_header_add(out.get(), header.name.data(), static_cast<ssize_t>(header.name.size()),
                        value, header.value ? static_cast<ssize_t>(header.value->size()) : 0);
  }
  return out;
}

std::vector<Mark> all_marks(std::span<const Publication> publications) {
  std::vector<Mark> out;
  for (const Publication& publication : publications) {
    out.insert(out.end(), publication.marks.begin(), publication.marks.end());
  }
  return out;
}

}  // namespace

KafkaProducer::KafkaProducer(std::shared_ptr<KafkaAdmin> admin, Options options)
    : admin_(std::move(admin)), options_(std::move(options)) {}

KafkaProducer::~KafkaProducer() {
  if (upkept_in_ != nullptr) upkept_in_->upkeep.remove(this);
  close();
}

void KafkaProducer::close() {
  // What is still queued belongs to nothing that was promised.
  if (client_ != nullptr) {
    rd_kafka_purge(client_->handle(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  }
  targets_.clear();
  client_.reset();
}

Result<std::unique_ptr<KafkaProducer>> KafkaProducer::open(std::shared_ptr<KafkaContext> context,
                                                           std::shared_ptr<KafkaAdmin> admin,
                                                           Options options) {
  std::unique_ptr<KafkaProducer> self(new KafkaProducer(std::move(admin), std::move(options)));
  // Brokers may go away, and the group be distributed anew, while it opens.
  const auto deadline = std::chrono::steady_clock::now() + context->options.patience;
  for (auto started = self->start(context); !started; started = self->start(context)) {
    const bool is_over = std::chrono::steady_clock::now() > deadline;
    if (is_over || started.error().code != Errc::unavailable) return std::move(started).error();
    context->health.bad(started.error().message);
    self->close();
    std::this_thread::sleep_for(retry_wait);
  }
  if (self->options_.member != nullptr) {
    context->upkeep.add(self.get(), [producer = self.get()] { producer->serve(); });
    self->upkept_in_ = std::move(context);
  }
  return self;
}

Result<void> KafkaProducer::start(std::shared_ptr<KafkaContext> context) {
  if (options_.member != nullptr) {
    WEIR_CHECK(options_.member->consumer());
    generation_ = options_.member->generation();
  }
  KafkaProperties fixed{{"enable.idempotence", "true"}};
  if (options_.exactly_once) {
    fixed.emplace("transactional.id", fmt::format("weir.{}.{}", options_.group, options_.id));
    fixed.emplace("transaction.timeout.ms",
                  std::to_string(std::chrono::milliseconds(transaction_timeout).count()));
  }
  KafkaClient::Callbacks callbacks;
  callbacks.has_figures = options_.member != nullptr;
  callbacks.delivered = [this](const rd_kafka_message_t& message) { delivered(message); };
  const auto patience = context->options.patience;
  WEIR_TRY(client_,
           KafkaClient::open(std::move(context), KafkaRole::producer, fixed, std::move(callbacks)));
  if (!options_.exactly_once) return {};
  const auto deadline = std::chrono::steady_clock::now() + patience;
  WEIR_CHECK(until_done(fmt::format("{} could not be opened", name()), [&]() -> KafkaFault {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    return KafkaFault(rd_kafka_init_transactions(client_->handle(), std::max(to_int(left), 1)));
  }));
  knows_coordinator_ = false;
  aborted_at_.reset();
  return options_.member == nullptr ? Result<void>{} : end_stray_marks();
}

/// librdkafka 2.0.2 never comes back from the marks when the coordinator of their group is unknown
/// to it and cannot be told at once.
Result<void> KafkaProducer::find_coordinator() {
  const std::uint64_t troubles = client_->context().health.trouble_count();
  if (knows_coordinator_ && troubles == troubles_) return {};
  next_ = Next::abort;
  last_code_ = RD_KAFKA_RESP_ERR_NO_ERROR;
  WEIR_CHECK(admin_->find_coordinator(*client_, options_.group));
  knows_coordinator_ = true;
  troubles_ = troubles;
  return {};
}

Result<void> KafkaProducer::end_stray_marks() {
  const Mark mark{options_.member->any_input(), 0, {}};
  const Publication never{{&mark, 1}, {}, false};
  WEIR_CHECK(find_coordinator());
  WEIR_CHECK(begin());
  auto sent = send_marks({&never, 1});
  auto aborted = try_abort();
  if (sent && !aborted) sent = std::move(aborted);
  if (sent || sent.error().code == Errc::refused) return sent;
  return error(Errc::unavailable, "{}", sent.error().message);
}

std::string KafkaProducer::name() const {
  return fmt::format("producer '{}' of group '{}'", options_.id, options_.group);
}

// ---------------------------------------------------------------------------------------------

void KafkaProducer::serve() {
  const std::unique_lock lock(busy_, std::try_to_lock);
  if (lock && client_ != nullptr) rd_kafka_poll(client_->handle(), 0);
}

Result<void> KafkaProducer::publish(std::span<const Publication> publications) {
  const std::lock_guard lock(busy_);
  WEIR_CHECK(check_publications(publications));
  if (dead_) return *dead_;
  if (publications.empty()) return {};
  for (const Publication& publication : publications) {
    for (const Mark& mark : publication.marks) {
      WEIR_TRY(const Target* const input, target(mark.input.topic));
      if (mark.input.partition < 0 || mark.input.partition >= input->partition_count) {
        return no_such_partition(mark.input.topic, mark.input.partition, input->partition_count);
      }
    }
    WEIR_CHECK(check_targets(publication.records));
  }
  if (!options_.exactly_once) return publish_at_least_once(publications);
  offsets_.clear();
  return attempt(publications);
}

Result<std::vector<std::int64_t>> KafkaProducer::append(std::span<const NewRecord> records) {
  const std::lock_guard lock(busy_);
  if (dead_) return *dead_;
  WEIR_CHECK(check_targets(records));
  if (records.empty()) return std::vector<std::int64_t>{};
  offsets_.assign(records.size(), -1);
  const Publication alone{{}, records, false};
  WEIR_CHECK(attempt({&alone, 1}));
  return std::exchange(offsets_, {});
}

Result<void> KafkaProducer::attempt(std::span<const Publication> publications) {
  bool is_again = std::any_of(publications.begin(), publications.end(),
                              [](const Publication& one) { return one.is_again; });
  for (int attempt = 1;; ++attempt, is_again = true) {
    bool retry = false;
    Result<void> done;
    if (is_again) done = end_stray_records(publications, retry);
    if (done) done = transact(publications, retry);
    if (done) client_->context().health.good();
    if (done || !retry || attempt == attempts_max) return done;
    client_->context().health.bad(done.error().message);
    std::this_thread::sleep_for(retry_wait * attempt);
  }
}

Result<void> KafkaProducer::end_stray_records(std::span<const Publication> publications,
                                              bool& retry) {
  std::vector<NewRecord> records;
  std::set<std::pair<std::string_view, std::int32_t>> partitions;
  for (const Publication& publication : publications) {
    for (const NewRecord& record : publication.records) {
      if (partitions.emplace(record.topic, record.partition).second) records.push_back(record);
    }
  }
  if (records.empty()) return {};
  failure_.reset();
  auto done = begin();
  if (!done) return give_up(std::move(done).error());
  done = produce(records, nullptr);
  if (done) done = await_delivery(transaction_timeout);
  if (!done) return take_back(std::move(done).error(), retry);
  aborted_at_.reset();  // this abort ends what earlier ones have left
  return abort();
}

Result<void> KafkaProducer::transact(std::span<const Publication> publications, bool& retry) {
  failure_.reset();
  if (auto current = check_generation(); !current) return give_up(std::move(current).error());
  if (!publications.front().marks.empty()) WEIR_CHECK(find_coordinator());
  auto done = begin();
  if (!done) return give_up(std::move(done).error());
  for (const Publication& publication : publications) {
    if (done) done = produce(publication.records, offsets_.empty() ? nullptr : offsets_.data());
  }
  // A record that fails while the marks are sent would take their answer away; and that records are
  // delivered says that there is a broker to send marks to, without which they may hang.
  if (done) done = await_delivery(transaction_timeout);
  if (done && !publications.front().marks.empty()) {
    done = find_coordinator();  // it may have gone since
    if (done) done = send_marks(publications);
  }
  if (!done) return take_back(std::move(done).error(), retry);
  done = commit(publications);
  if (!done) return give_up(std::move(done).error());
  aborted_at_.reset();
  return {};
}

Result<void> KafkaProducer::commit(std::span<const Publication> publications) {
  rd_kafka_poll(client_->handle(), 0);  // lets the client tell of brokers that it has lost
  const std::uint64_t troubles = client_->context().health.trouble_count();
  if (aborted_at_ && *aborted_at_ != troubles) {
    return error(Errc::unavailable, "{}: a broker was away just after an abort", name());
  }
  WEIR_CHECK(until_done(
      "a commit", [&] { return KafkaFault(rd_kafka_commit_transaction(client_->handle(), -1)); }));
  return await_marks(all_marks(publications), troubles);
}

Result<void> KafkaProducer::await_marks(std::span<const Mark> marks, std::uint64_t troubles) {
  if (marks.empty()) return {};
  std::vector<TopicPartition> inputs;
  for (const Mark& mark : marks) inputs.push_back(mark.input);
  const auto deadline = std::chrono::steady_clock::now() + transaction_timeout;
  for (auto wait = marks_wait_min;; wait = std::min(2 * wait, marks_wait_max)) {
    WEIR_TRY(const auto found, admin_->decided_marks(options_.group, inputs));
    const bool is_there = std::equal(marks.begin(), marks.end(), found.begin(),
                                     [](const Mark& mark, const auto& decided) {
                                       return decided && decided->next_offset == mark.next_offset &&
                                              decided->metadata == mark.metadata;
                                     });
    if (is_there) return {};
    WEIR_CHECK(check_generation());
    if (client_->context().health.trouble_count() != troubles ||
        std::chrono::steady_clock::now() > deadline) {
      return error(Errc::unavailable,
                   "{}: a transaction was committed, and its marks are not there", name());
    }
    std::this_thread::sleep_for(wait);
  }
}

Result<void> KafkaProducer::take_back(Error failure, bool& retry) {
  if (next_ == Next::give_up || next_ == Next::again) return give_up(std::move(failure));
  const bool is_hopeless =
      next_ == Next::go_on || is_fenced(last_code_) || failure.code == Errc::refused;
  const Error reason = failure_error(std::move(failure));
  WEIR_CHECK(abort());
  retry = !is_hopeless && reason.code != Errc::invalid && reason.code != Errc::refused;
  return reason;
}

Result<void> KafkaProducer::publish_at_least_once(std::span<const Publication> publications) {
  failure_.reset();
  if (auto current = check_generation(); !current) return give_up(std::move(current).error());
  for (const Publication& publication : publications) {
    WEIR_CHECK(produce(publication.records, nullptr));
  }
  auto done = await_delivery(client_->context().options.patience);
  if (!done) {
    Error reason = failure_error(std::move(done).error());
    if (reason.code == Errc::invalid) return reason;
    return give_up(error(Errc::unavailable, "{}", reason.message));
  }
  const std::vector<Mark> marks = all_marks(publications);
  if (options_.member != nullptr) return commit_as_member(marks);
  return admin_->commit(options_.group, marks);
}

Result<void> KafkaProducer::commit_as_member(std::span<const Mark> marks) {
  WEIR_TRY(const auto consumer, options_.member->consumer());
  if (consumer == nullptr || consumer->is_fenced()) {
    return give_up(error(Errc::unavailable, "group '{}' has no member now", options_.group));
  }
  return consumer->commit(marks);
}

Result<void> KafkaProducer::await_delivery(std::chrono::milliseconds patience) {
  next_ = Next::abort;
  const rd_kafka_resp_err_t code = rd_kafka_flush(client_->handle(), to_int(patience));
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR && !failure_) return {};
  last_code_ = failure_ ? failure_->code : code;
  return kafka_error(last_code_, fmt::format("{} could not publish", name()));
}

Result<void> KafkaProducer::send_marks(std::span<const Publication> publications) {
  next_ = Next::abort;
  const std::vector<Mark> marks = all_marks(publications);
  const KafkaPartitions offsets = host::to_kafka(std::span<const Mark>(marks));
  WEIR_TRY(const KafkaMembership member, membership());
  return until_done("the marks", [&] {
    return KafkaFault(
        rd_kafka_send_offsets_to_transaction(client_->handle(), offsets.get(), member.get(), -1));
  });
}

Result<KafkaMembership> KafkaProducer::membership() const {
  if (options_.member == nullptr) {
    return KafkaMembership(rd_kafka_consumer_group_metadata_new(options_.group.c_str()));
  }
  // While the group is being rebalanced the member has no part in it.
  const auto deadline = std::chrono::steady_clock::now() + transaction_timeout / 2;
  while (true) {
    WEIR_CHECK(check_generation());
    WEIR_TRY(const auto consumer, options_.member->consumer());
    auto member =
        consumer == nullptr
            ? Result<KafkaMembership>(error(
                  Errc::unavailable, "group '{}' has no member at the moment", options_.group))
            : consumer->membership();
    if (member) WEIR_CHECK(check_generation());
    if (member || member.error().code != Errc::unavailable ||
        std::chrono::steady_clock::now() > deadline) {
      return member;
    }
    std::this_thread::sleep_for(5ms);
  }
}

Result<void> KafkaProducer::check_generation() const {
  if (options_.member == nullptr) return {};
  WEIR_CHECK(options_.member->consumer());
  if (options_.member->generation() == generation_) return {};
  return error(Errc::unavailable, "group '{}' was distributed anew", options_.group);
}

/// The coordinator itself does it to a transaction that has taken too long.
Error KafkaProducer::fencing() const {
  if (options_.member == nullptr) return fenced(options_.group, options_.id);
  if (auto owner = options_.member->check_owner(); !owner) return std::move(owner).error();
  return error(Errc::unavailable, "{} was fenced, but no other host has its group", name());
}

// ---------------------------------------------------------------------------------------------

template <typename Call>
Result<void> KafkaProducer::until_done(std::string_view what, Call call) {
  return until_done(what, client_->context().options.patience + transaction_timeout, call);
}

template <typename Call>
Result<void> KafkaProducer::until_done(std::string_view what, std::chrono::milliseconds patience,
                                       Call call) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (true) {
    const KafkaFault fault = call();
    next_ = Next::go_on;
    if (fault == nullptr) return {};
    last_code_ = rd_kafka_error_code(fault.get());
    const char* const text = rd_kafka_error_string(fault.get());
    if (rd_kafka_error_is_fatal(fault.get()) != 0 || is_fenced(last_code_)) {
      next_ = rd_kafka_error_txn_requires_abort(fault.get()) != 0 ? Next::abort : Next::give_up;
    } else if (rd_kafka_error_txn_requires_abort(fault.get()) != 0) {
      next_ = Next::abort;
    } else if (rd_kafka_error_is_retriable(fault.get()) != 0) {
      next_ = Next::again;
    } else {
      next_ = Next::give_up;
    }
    if (next_ == Next::again && std::chrono::steady_clock::now() < deadline) {
      client_->context().health.bad(text);
      continue;
    }
    if (is_fenced(last_code_)) return fencing();
    return kafka_error(last_code_, fmt::format("{}: {}", name(), what), text);
  }
}

Result<void> KafkaProducer::begin() {
  return until_done("a transaction",
                    [&] { return KafkaFault(rd_kafka_begin_transaction(client_->handle())); });
}

Result<void> KafkaProducer::try_abort() {
  if (!aborted_at_) aborted_at_ = client_->context().health.trouble_count();
  return until_done("an abort", transaction_timeout, [&] {
    return KafkaFault(rd_kafka_abort_transaction(client_->handle(), abort_step_ms));
  });
}

Result<void> KafkaProducer::abort() {
  auto aborted = try_abort();
  // librdkafka 2.0.2 can wait for ever for a producer id that nobody asks for.
  if (!aborted && next_ == Next::again) aborted = renew();
  if (!aborted) return give_up(std::move(aborted).error());
  return {};
}

Result<void> KafkaProducer::renew() {
  auto context = client_->shared_context();
  close();
  return start(std::move(context));
}

Error KafkaProducer::give_up(Error reason) {
  if (reason.code != Errc::refused) {
    reason.code = Errc::unavailable;
    reason.message += "; it is not known whether it happened";
  }
  dead_ = reason;
  return reason;
}

Error KafkaProducer::failure_error(Error otherwise) {
  rd_kafka_poll(client_->handle(), 0);  // a commit may fail before the reports of why are served
  if (!failure_) return otherwise;
  const Failure& failure = *failure_;
  const std::string what = fmt::format("a record for topic '{}' partition {} with {} bytes",
                                       failure.topic, failure.partition, failure.bytes);
  if (failure.code != RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
    if (is_transient(failure.code)) return otherwise;
    return kafka_error(failure.code, what);
  }
  const auto limit = admin_->size_limit(failure.topic);
  return error(Errc::invalid,
               "{} is more than the topic takes ({}): raise the topic's max.message.bytes, or, if "
               "single records fit, lower batch.size in log.kafka.producer",
               what, limit ? fmt::format("max.message.bytes {}", *limit) : "its broker's limit");
}

void KafkaProducer::delivered(const rd_kafka_message_t& message) {
  if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    if (message._private != nullptr) {
      *static_cast<std::int64_t*>(message._private) = message.offset;
    }
    return;
  }
  if (message.err == RD_KAFKA_RESP_ERR__PURGE_QUEUE ||
      message.err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT) {
    return;
  }
  const std::size_t bytes = message.len + message.key_len;
  // A batch fails as a whole: its largest record is the one to name.
  if (failure_ && failure_->bytes >= bytes) return;
  failure_ = Failure{message.err, rd_kafka_topic_name(message.rkt), message.partition, bytes};
}

// ---------------------------------------------------------------------------------------------

Result<KafkaProducer::Target*> KafkaProducer::target(std::string_view topic) {
  const auto known = targets_.find(topic);
  if (known != targets_.end()) return &known->second;
  WEIR_TRY(const auto info, admin_->topic(topic));
  if (!info) return no_such_topic(topic);
  Target made;
  made.topic.reset(rd_kafka_topic_new(client_->handle(), info->name.c_str(), nullptr));
  made.partition_count = info->partition_count;
  return &targets_.emplace(info->name, std::move(made)).first->second;
}

Result<void> KafkaProducer::check_targets(std::span<const NewRecord> records) {
  for (const NewRecord& record : records) {
    WEIR_TRY(const Target* const to, target(record.topic));
    if (record.partition < 0 || record.partition >= to->partition_count) {
      return no_such_partition(record.topic, record.partition, to->partition_count);
    }
  }
  return {};
}

Result<void> KafkaProducer::produce(std::span<const NewRecord> records, std::int64_t* offsets) {
  next_ = Next::abort;
  for (std::size_t i = 0; i < records.size(); ++i) {
    WEIR_CHECK(produce_one(records[i], offsets == nullptr ? nullptr : offsets + i));
  }
  return {};
}

Result<void> KafkaProducer::produce_one(const NewRecord& record, std::int64_t* offset) {
  WEIR_TRY(const Target* const to, target(record.topic));
  KafkaHeaders headers = to_kafka(record.headers);
  std::array<rd_kafka_vu_t, 8> fields{};
  fields[0] = field(RD_KAFKA_VTYPE_RKT);
  fields[0].u.rkt = to->topic.get();
  fields[1] = field(RD_KAFKA_VTYPE_PARTITION);
  fields[1].u.i32 = record.partition;
  fields[2] = bytes_field(RD_KAFKA_VTYPE_KEY, record.key);
  fields[3] = bytes_field(RD_KAFKA_VTYPE_VALUE, record.value);
  fields[4] = field(RD_KAFKA_VTYPE_TIMESTAMP);
  fields[4].u.i64 = record.timestamp_ms;
  fields[5] = field(RD_KAFKA_VTYPE_MSGFLAGS);
  fields[5].u.i = RD_KAFKA_MSG_F_COPY;
  fields[6] = field(RD_KAFKA_VTYPE_OPAQUE);
  fields[6].u.ptr = offset;
  std::size_t count = 7;
  if (headers != nullptr) {
    fields[count] = field(RD_KAFKA_VTYPE_HEADERS);
    fields[count++].u.headers = headers.get();
  }
  while (true) {
    const KafkaFault fault(rd_kafka_produceva(client_->handle(), fields.data(), count));
    if (fault == nullptr) {
      static_cast<void>(headers.release());  // the message owns them
      return {};
    }
    last_code_ = rd_kafka_error_code(fault.get());
    if (last_code_ == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      rd_kafka_poll(client_->handle(), 10);
      continue;
    }
    if (last_code_ == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
      failure_ = Failure{last_code_, std::string(record.topic), record.partition,
                         record.key.value_or("").size() + record.value.value_or("").size()};
    }
    return kafka_error(last_code_, fmt::format("a record for topic '{}'", record.topic),
                       rd_kafka_error_string(fault.get()));
  }
}

}  // namespace weir::host
