// Produces to a real Kafka what its stdin says, one order a line, and is none of Weir's code:
//
//   feeder BOOTSTRAP TOPIC [TRANSACTIONAL_ID]
//
//   r PARTITION KEY VALUE   a record; key and value in hex, '-' for none at all
//   flush                   waits until the broker has everything
//   begin | commit | abort  with a transactional id
//
// Every order but `r` is answered by its name on stdout once it is done. A failure ends the
// program. A transaction that is neither committed nor aborted stays open when the program is
// killed.
#include <librdkafka/rdkafka.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>

namespace {

constexpr int wait_ms = 100;
constexpr int transaction_ms = 60'000;

/// The bytes that a hex text says; absent for '-'.
std::optional<std::string> bytes_of(const std::string& hex) {
  if (hex == "-") return std::nullopt;
  std::string bytes;
  for (std::size_t at = 0; at + 1 < hex.size(); at += 2) {
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(at, 2), nullptr, 16)));
  }
  return bytes;
}

class Feeder {
 public:
  Feeder(const char* servers, std::string topic, const char* transactional_id)
      : topic_(std::move(topic)) {
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", servers);
    set(conf, "enable.idempotence", "true");
    set(conf, "linger.ms", "2");
    set(conf, "queue.buffering.max.messages", "1000000");
    if (transactional_id != nullptr) {
      set(conf, "transactional.id", transactional_id);
      set(conf, "transaction.timeout.ms", std::to_string(transaction_ms).c_str());
    }
    rd_kafka_conf_set_opaque(conf, this);
    rd_kafka_conf_set_dr_msg_cb(
        conf, [](rd_kafka_t*, const rd_kafka_message_t* message, void* self) {
          if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            static_cast<Feeder*>(self)->failed_ = rd_kafka_err2str(message->err);
          }
        });
    char error[512] = "";
    client_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
    if (client_ == nullptr) throw std::runtime_error(error);
    if (transactional_id != nullptr) check(rd_kafka_init_transactions(client_, -1));
  }
  Feeder(const Feeder&) = delete;
  Feeder& operator=(const Feeder&) = delete;
  ~Feeder() { rd_kafka_destroy(client_); }

  void obey(const std::string& line) {
    std::istringstream words(line);
    std::string order;
    words >> order;
    if (order == "r") {
      int partition = 0;
      std::string key;
      std::string value;
      words >> partition >> key >> value;
      produce(partition, bytes_of(key), bytes_of(value));
      return;
    }
    if (order == "flush") {
      while (rd_kafka_flush(client_, wait_ms) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      }
    } else if (order == "begin") {
      check(rd_kafka_begin_transaction(client_));
    } else if (order == "commit") {
      check(rd_kafka_commit_transaction(client_, -1));
    } else if (order == "abort") {
      check(rd_kafka_abort_transaction(client_, -1));
    } else {
      throw std::runtime_error("no such order: " + line);
    }
    if (!failed_.empty()) throw std::runtime_error("a record did not get through: " + failed_);
    std::cout << order << std::endl;
  }

 private:
  static void set(rd_kafka_conf_t* conf, const char* name, const char* value) {
    char error[512] = "";
    if (rd_kafka_conf_set(conf, name, value, error, sizeof error) != RD_KAFKA_CONF_OK) {
      throw std::runtime_error(error);
    }
  }

  static void check(rd_kafka_error_t* error) {
    if (error == nullptr) return;
    const std::string text = rd_kafka_error_string(error);
    rd_kafka_error_destroy(error);
    throw std::runtime_error(text);
  }

  void produce(int partition, const std::optional<std::string>& key,
               const std::optional<std::string>& value) {
    const char* key_data = key ? key->data() : nullptr;
    const std::size_t key_size = key ? key->size() : 0;
    void* value_data = value ? const_cast<char*>(value->data()) : nullptr;
    const std::size_t value_size = value ? value->size() : 0;
    for (;;) {
      const rd_kafka_resp_err_t code = rd_kafka_producev(
          client_, RD_KAFKA_V_TOPIC(topic_.c_str()), RD_KAFKA_V_PARTITION(partition),
          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key_data, key_size),
          RD_KAFKA_V_VALUE(value_data, value_size), RD_KAFKA_V_END);
      if (code == RD_KAFKA_RESP_ERR_NO_ERROR) break;
      if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) throw std::runtime_error(rd_kafka_err2str(code));
      rd_kafka_poll(client_, wait_ms);
    }
    rd_kafka_poll(client_, 0);
  }

  std::string topic_;
  rd_kafka_t* client_ = nullptr;
  std::string failed_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: feeder BOOTSTRAP TOPIC [TRANSACTIONAL_ID]\n";
    return 64;
  }
  try {
    Feeder feeder(argv[1], argv[2], argc > 3 ? argv[3] : nullptr);
    for (std::string line; std::getline(std::cin, line);) feeder.obey(line);
    feeder.obey("flush");
  } catch (const std::exception& exception) {
    std::cerr << "feeder: " << exception.what() << '\n';
    return 1;
  }
}
