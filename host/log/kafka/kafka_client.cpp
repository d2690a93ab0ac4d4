#include "log/kafka/kafka_client.hpp"

#include <array>
#include <utility>

#include "log/kafka/kafka_error.hpp"

namespace weir::host {
namespace {

KafkaContext& context_of(void* opaque) { return static_cast<KafkaClient*>(opaque)->context(); }

void on_log(const rd_kafka_t* handle, int level, const char* facility, const char* text) {
  Logger* const logger = context_of(rd_kafka_opaque(handle)).options.logger;
  // Properties of the other kind of client: they were checked when the configuration was.
  if (logger == nullptr || std::string_view(facility) == "CONFWARN") return;
  constexpr int syslog_warning = 4;
  constexpr int syslog_notice = 5;
  const LogLevel out = level <= syslog_warning  ? LogLevel::warn
                       : level <= syslog_notice ? LogLevel::info
                                                : LogLevel::debug;
  logger->write(out, "log", fmt::format("librdkafka: {}: {}", facility, text));
}

void on_error(rd_kafka_t*, int code, const char* reason, void* opaque) {
  const auto error_code = static_cast<rd_kafka_resp_err_t>(code);
  KafkaHealth& health = context_of(opaque).health;
  if (error_code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
    health.unreachable();
    if (health.trouble()) return;  // what is wrong with one of them says more
  }
  health.bad(fmt::format("{}: {}", rd_kafka_err2str(error_code), reason), error_code);
}

}  // namespace

void KafkaSignal::notify() {
  {
    const std::lock_guard lock(mutex_);
    ++change_count_;
  }
  changed_.notify_all();
}

void KafkaSignal::wait(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  std::uint64_t& seen = seen_[std::this_thread::get_id()];
  changed_.wait_for(lock, timeout, [&] { return seen != change_count_; });
  seen = change_count_;
}

void KafkaHealth::bad(std::string text, rd_kafka_resp_err_t cause) {
  const std::lock_guard lock(mutex_);
  text_ = std::move(text);
  cause_ = cause;
  is_bad_.store(true, std::memory_order_relaxed);
  trouble_count_.fetch_add(1, std::memory_order_relaxed);
}

void KafkaHealth::clear() {
  const std::lock_guard lock(mutex_);
  is_bad_.store(false, std::memory_order_relaxed);
  is_unreachable_.store(false, std::memory_order_relaxed);
}

std::optional<std::string> KafkaHealth::trouble() const {
  const std::lock_guard lock(mutex_);
  if (!is_bad_.load(std::memory_order_relaxed)) return std::nullopt;
  return text_;
}

rd_kafka_resp_err_t KafkaHealth::cause() const {
  const std::lock_guard lock(mutex_);
  return is_bad_.load(std::memory_order_relaxed) ? cause_ : RD_KAFKA_RESP_ERR_NO_ERROR;
}

void KafkaUpkeep::add(const void* owner, std::function<void()> serve) {
  const std::lock_guard lock(mutex_);
  served_[owner] = std::move(serve);
}

void KafkaUpkeep::remove(const void* owner) {
  const std::lock_guard lock(mutex_);
  served_.erase(owner);
}

void KafkaUpkeep::run() {
  const std::lock_guard lock(mutex_);
  for (const auto& [owner, serve] : served_) serve();
}

KafkaClient::KafkaClient(std::shared_ptr<KafkaContext> context, Callbacks callbacks)
    : context_(std::move(context)), callbacks_(std::move(callbacks)) {}

Result<std::unique_ptr<KafkaClient>> KafkaClient::open(std::shared_ptr<KafkaContext> context,
                                                       KafkaRole role, const KafkaProperties& fixed,
                                                       Callbacks callbacks) {
  std::unique_ptr<KafkaClient> self(new KafkaClient(std::move(context), std::move(callbacks)));
  const KafkaOptions& options = self->context_->options;
  KafkaConf conf(rd_kafka_conf_new());
  std::array<char, 512> text{};
  KafkaProperties all_fixed = fixed;
  all_fixed.try_emplace("client.id", options.client_id);
  all_fixed.emplace("bootstrap.servers", options.brokers);
  // What nobody takes would pile up in the client's queue.
  if (!self->callbacks_.has_figures) all_fixed.try_emplace("statistics.interval.ms", "0");
  const KafkaProperties& own = role == KafkaRole::producer ? options.producer : options.consumer;
  for (const auto& [name, value] :
       kafka_client_properties(role, options.properties, own, all_fixed)) {
    if (rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), text.data(), text.size()) !=
        RD_KAFKA_CONF_OK) {
      const std::string detail = is_secret_kafka_property(name) ? "" : text.data();
      return error(Errc::config, "log.kafka: librdkafka does not take {}: {}", name, detail);
    }
  }
  rd_kafka_conf_set_opaque(conf.get(), self.get());
  rd_kafka_conf_set_log_cb(conf.get(), on_log);
  rd_kafka_conf_set_error_cb(conf.get(), on_error);
  if (self->callbacks_.rebalanced) {
    rd_kafka_conf_set_rebalance_cb(
        conf.get(), [](rd_kafka_t*, rd_kafka_resp_err_t event,
                       rd_kafka_topic_partition_list_t* partitions, void* opaque) {
          static_cast<KafkaClient*>(opaque)->callbacks_.rebalanced(event, partitions);
        });
  }
  if (self->callbacks_.delivered) {
    rd_kafka_conf_set_dr_msg_cb(conf.get(),
                                [](rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
                                  static_cast<KafkaClient*>(opaque)->callbacks_.delivered(*message);
                                });
  }
  if (self->callbacks_.has_figures) {
    self->figures_ = self->context_->figures.add(role);
    rd_kafka_conf_set_stats_cb(
        conf.get(), [](rd_kafka_t*, char* json, std::size_t size, void* opaque) {
          static_cast<KafkaClient*>(opaque)->figures_->update(std::string(json, size));
          return 0;
        });
  }
  const rd_kafka_type_t type = role == KafkaRole::producer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER;
  self->handle_.reset(rd_kafka_new(type, conf.get(), text.data(), text.size()));
  if (self->handle_ == nullptr) return error(Errc::config, "log.kafka: {}", text.data());
  static_cast<void>(conf.release());  // the handle owns it
  return self;
}

std::optional<Error> KafkaClient::fatal() const {
  std::array<char, 512> text{};
  const rd_kafka_resp_err_t code = rd_kafka_fatal_error(handle(), text.data(), text.size());
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return std::nullopt;
  return kafka_error(code, "the Kafka client gave up", text.data());
}

}  // namespace weir::host
