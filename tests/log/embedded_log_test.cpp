#include "log/embedded_log.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "base/bytes.hpp"
#include "log/batch.hpp"
#include "log/child_process.hpp"
#include "log/contract.hpp"
#include "support/temp_dir.hpp"

namespace weir::host {
namespace {

using namespace std::chrono_literals;
using test::ok;

std::unique_ptr<EmbeddedLog> open(const std::filesystem::path& directory) {
  return ok(EmbeddedLog::open({.directory = directory, .sync = false}));
}

class EmbeddedFactory final : public test::LogFactory {
 public:
  std::unique_ptr<Log> open() override { return host::open(directory_.path()); }

 private:
  test::TempDir directory_;
};

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

void write_file(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

/// Where `wanted` is in the file; also in pages that are not in use any more.
std::vector<std::size_t> places_of(const std::string& file, std::string_view wanted) {
  std::vector<std::size_t> out;
  for (std::size_t at = file.find(wanted); at != std::string::npos;
       at = file.find(wanted, at + 1)) {
    out.push_back(at);
  }
  return out;
}

/// Reads on until it has seen `count` records, waking up as they come.
std::vector<std::string> follow(Log& log, const TopicPartition& partition, std::size_t count) {
  const auto reader = ok(log.open_reader(partition, 0));
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  std::vector<std::string> out;
  while (out.size() < count && std::chrono::steady_clock::now() < deadline) {
    const auto records = ok(reader->fetch({}));
    for (const Record& record : records) out.emplace_back(record.value.value());
    if (records.empty()) log.wait_for_records(10s);
  }
  return out;
}

}  // namespace

TEST_CASE("embedded log: keeps the contract") {
  EmbeddedFactory factory;
  test::run_log_contract(factory);
}

TEST_CASE("embedded log: everything is there after it was closed") {
  const test::TempDir directory;
  const TopicPartition partition{"kept", 1};
  std::string identity;
  {
    const auto log = open(directory.path());
    ok(log->create_topic("kept", 2));
    identity = ok(log->topic("kept"))->identity;
    test::append_values(*log, partition, {"a", "b"});
    const auto producer = ok(log->open_producer("group", "w0"));
    const Mark mark{partition, 2, "commit 1"};
    const Publication publication{{&mark, 1}, {}};
    ok(producer->publish({&publication, 1}));
  }
  const auto log = open(directory.path());
  CHECK(ok(log->topic("kept"))->identity == identity);
  CHECK(identity.size() == 32);
  CHECK(test::values_of(test::read_to_end(*log, partition)) == std::vector<std::string>{"a", "b"});
  CHECK(ok(log->committed("group", partition))->metadata == "commit 1");
  test::append_values(*log, partition, {"c"});
  CHECK(ok(log->offsets(partition)).end == 3);
}

TEST_CASE("embedded log: topics of one name in two logs have two identities") {
  const test::TempDir one;
  const test::TempDir two;
  const auto log_one = open(one.path());
  const auto log_two = open(two.path());
  ok(log_one->create_topic("same", 1));
  ok(log_two->create_topic("same", 1));

  CHECK(ok(log_one->topic("same"))->identity != ok(log_two->topic("same"))->identity);
}

TEST_CASE("embedded log: readers and producers outlive the handle they came from") {
  const test::TempDir directory;
  auto log = open(directory.path());
  ok(log->create_topic("in", 1));
  const auto reader = ok(log->open_reader({"in", 0}, 0));
  const auto producer = ok(log->open_producer("group", "w0"));
  log.reset();

  const Mark mark{{"in", 0}, 1, ""};
  NewRecord record;
  record.topic = "in";
  record.value = "v";
  const Publication publication{{&mark, 1}, {&record, 1}};
  ok(producer->publish({&publication, 1}));
  CHECK(ok(reader->fetch({})).size() == 1);
}

TEST_CASE("embedded log: one process is woken by another and sees each record once in order") {
  const test::TempDir directory;
  constexpr int count = 300;
  test::ChildProcess writer([&](const test::ChildProcess::Say&) {
    const auto log = open(directory.path());
    ok(log->create_topic("shared", 1));
    for (int i = 0; i < count; ++i) test::append_values(*log, {"shared", 0}, {std::to_string(i)});
  });
  const auto log = open(directory.path());
  ok(log->create_topic("shared", 1));

  const auto seen = follow(*log, {"shared", 0}, count);

  CHECK(writer.wait().exit_code == 0);
  REQUIRE(seen.size() == count);
  for (int i = 0; i < count; ++i) CHECK(seen[static_cast<std::size_t>(i)] == std::to_string(i));
}

TEST_CASE("embedded log: two processes that append at once both keep their order") {
  const test::TempDir directory;
  { ok(open(directory.path())->create_topic("shared", 1)); }
  constexpr int count = 200;
  const auto run = [&](const char* name) {
    return [&, name](const test::ChildProcess::Say&) {
      const auto log = open(directory.path());
      for (int i = 0; i < count; ++i) {
        test::append_values(*log, {"shared", 0}, {name + std::to_string(i)});
      }
    };
  };
  test::ChildProcess a(run("a"));
  test::ChildProcess b(run("b"));
  CHECK(a.wait().exit_code == 0);
  CHECK(b.wait().exit_code == 0);

  const auto log = open(directory.path());
  int next_a = 0;
  int next_b = 0;
  for (const std::string& value : test::values_of(test::read_to_end(*log, {"shared", 0}))) {
    int& next = value[0] == 'a' ? next_a : next_b;
    CHECK(value.substr(1) == std::to_string(next++));
  }
  CHECK(next_a == count);
  CHECK(next_b == count);
}

TEST_CASE("embedded log: a producer of another process fences ours") {
  const test::TempDir directory;
  const auto publish = [](Producer& producer, const std::string& metadata) {
    const Mark mark{{"in", 0}, 1, metadata};
    const Publication publication{{&mark, 1}, {}};
    return producer.publish({&publication, 1});
  };
  { ok(open(directory.path())->create_topic("in", 1)); }
  int go[2];
  REQUIRE(pipe(go) == 0);
  test::ChildProcess child([&](const test::ChildProcess::Say&) {
    char start = 0;
    if (read(go[0], &start, 1) != 1) throw std::runtime_error("not started");
    const auto log = open(directory.path());
    ok(publish(*ok(log->open_producer("group", "w0")), "theirs"));
  });
  const auto log = open(directory.path());
  const auto producer = ok(log->open_producer("group", "w0"));
  ok(publish(*producer, "ours"));
  REQUIRE(write(go[1], "g", 1) == 1);
  CHECK(child.wait().exit_code == 0);

  CHECK(publish(*producer, "ours again").error().code == Errc::refused);
  CHECK(ok(log->committed("group", {"in", 0}))->metadata == "theirs");
  close(go[0]);
  close(go[1]);
}

TEST_CASE("embedded log: who joins a group fences producers of every id") {
  const test::TempDir directory;
  const auto publish = [](Producer& producer, const std::string& metadata) {
    const Mark mark{{"in", 0}, 1, metadata};
    const Publication publication{{&mark, 1}, {}};
    return producer.publish({&publication, 1});
  };
  const auto first = open(directory.path());
  const auto second = open(directory.path());
  ok(first->create_topic("in", 1));
  ok(first->join({.group = "group", .host = "first", .topics = {"in"}}));
  const auto first_w0 = ok(first->open_producer("group", "w0"));
  const auto first_w1 = ok(first->open_producer("group", "w1"));
  ok(publish(*first_w0, "first"));
  const auto other_group = ok(first->open_producer("another group", "w1"));

  ok(second->join({.group = "group", .host = "second", .topics = {"in"}}));
  const auto second_w0 = ok(second->open_producer("group", "w0"));

  CHECK(publish(*first_w0, "late").error().code == Errc::refused);
  CHECK(publish(*first_w1, "late").error().code == Errc::refused);
  CHECK(publish(*ok(first->open_producer("group", "w2")), "late").error().code == Errc::refused);
  ok(publish(*other_group, "other"));
  CHECK(ok(second->committed("group", {"in", 0}))->metadata == "first");
  ok(publish(*second_w0, "second"));
  CHECK(ok(second->committed("group", {"in", 0}))->metadata == "second");
}

TEST_CASE("embedded log: threads that append and read at once lose nothing") {
  const test::TempDir directory;
  const auto log = open(directory.path());
  ok(log->create_topic("shared", 2));
  constexpr int count = 200;
  const auto write = [&](std::int32_t partition) {
    for (int i = 0; i < count; ++i) {
      NewRecord record;
      record.topic = "shared";
      record.partition = partition;
      record.value = "v";
      if (!log->append({&record, 1})) return;
    }
  };
  std::thread first(write, 0);
  std::thread second(write, 1);
  std::size_t seen = 0;
  std::thread reader([&] { seen = follow(*log, {"shared", 1}, count).size(); });
  CHECK(follow(*log, {"shared", 0}, count).size() == count);
  first.join();
  second.join();
  reader.join();
  CHECK(seen == count);
}

// A reader that kept its snapshot would keep every page that the marks free, for ever.
TEST_CASE("embedded log: an idle reader does not make the file grow") {
  const test::TempDir directory;
  const auto log = open(directory.path());
  ok(log->create_topic("in", 1));
  const auto reader = ok(log->open_reader({"in", 0}, 0));
  CHECK(ok(reader->fetch({})).empty());
  const auto producer = ok(log->open_producer("group", "w0"));
  const Mark mark{{"in", 0}, 1, "m"};
  const Publication publication{{&mark, 1}, {}};
  for (int i = 0; i < 2000; ++i) ok(producer->publish({&publication, 1}));

  CHECK(std::filesystem::file_size(directory / "data.mdb") < 300'000);
}

TEST_CASE("embedded log: the bytes of a batch are those of format 1") {
  const Header headers[] = {{"h", "1"}, {"n", std::nullopt}};
  NewRecord first;
  first.key = "k";
  first.value = "v";
  first.headers = headers;
  first.timestamp_ms = 2;
  NewRecord second;
  second.timestamp_ms = 1;
  const NewRecord* const records[] = {&first, &second};
  std::string bytes(batch_header_bytes + encoded_bytes(first) + encoded_bytes(second), '\0');
  encode_batch({"topic", 7, 3, 42}, records, bytes.data());

  const std::string expected =
      "01000000"                                   // format 1
      "02000000"                                   // two records
      "0200000000000000"                           // latest timestamp 2
      "3d00000000000000"                           // 61 bytes
      "743b2aca61ddfee5"                           // checksum of the records
      "2d00d7891fce7bab"                           // checksum of the header
      "0200000000000000010000000100000002000000"   // first record: time and sizes and two headers
      "01000000010000006831"                       // header h: 1
      "01000000ffffffff6e"                         // header n: null
      "6b76"                                       // key and value
      "0100000000000000ffffffffffffffff00000000";  // second record: neither key nor value
  CHECK(to_hex(bytes) == expected);
}

TEST_CASE("embedded log: any changed byte of a batch is found and named") {
  const test::TempDir directory;
  const Header header{"header", "header value"};
  std::vector<NewRecord> records(3);
  for (NewRecord& record : records) {
    record.topic = "flipped";
    record.partition = 1;
    record.key = "key";
    record.value = "a value to be damaged";
    record.headers = {&header, 1};
  }
  {
    const auto log = open(directory.path());
    ok(log->create_topic("flipped", 2));
    test::append_values(*log, {"flipped", 1}, {"before"});
    ok(log->append(records));
  }
  std::vector<const NewRecord*> pointers;
  std::size_t size = batch_header_bytes;
  for (const NewRecord& record : records) {
    pointers.push_back(&record);
    size += encoded_bytes(record);
  }
  std::string batch(size, '\0');
  encode_batch({"flipped", 1, 1, 1}, pointers, batch.data());
  const std::string intact = read_file(directory / "data.mdb");
  const auto places = places_of(intact, batch);
  REQUIRE(!places.empty());

  for (std::size_t i = 0; i < size; ++i) {
    CAPTURE(i);
    std::string damaged = intact;
    for (const std::size_t place : places) damaged[place + i] ^= 0x10;
    write_file(directory / "data.mdb", damaged);
    const auto log = open(directory.path());
    const auto reader = ok(log->open_reader({"flipped", 1}, 0));
    CHECK(ok(reader->fetch({})).size() == 1);  // what was before it is still read

    const auto refused = reader->fetch({});
    REQUIRE(!refused);
    CHECK(refused.error().code == Errc::corrupt);
    CHECK(refused.error().message.find("topic 'flipped' partition 1 offset 1") !=
          std::string::npos);
    CHECK(log->offset_at({"flipped", 1}, 1'800'000'000'000).has_value() == (i >= 40));
  }
}

TEST_CASE("embedded log: a changed byte of a mark or of a topic's entry is found") {
  const test::TempDir directory;
  const std::string metadata = "metadata to be damaged";
  {
    const auto log = open(directory.path());
    ok(log->create_topic("topic-to-be-damaged", 1));
    const auto producer = ok(log->open_producer("group", "w0"));
    const Mark mark{{"topic-to-be-damaged", 0}, 1, metadata};
    const Publication publication{{&mark, 1}, {}};
    ok(producer->publish({&publication, 1}));
  }
  const std::string intact = read_file(directory / "data.mdb");
  const auto damage = [&](std::string_view at, std::size_t offset) {
    std::string damaged = intact;
    for (const std::size_t place : places_of(intact, at)) damaged[place + offset] ^= 0x01;
    write_file(directory / "data.mdb", damaged);
  };

  damage(metadata, 3);
  CHECK(open(directory.path())->committed("group", {"topic-to-be-damaged", 0}).error().code ==
        Errc::corrupt);
  damage("topic-to-be-damaged", std::string("topic-to-be-damaged").size() + 4);
  CHECK(open(directory.path())->topic("topic-to-be-damaged").error().code == Errc::corrupt);
}

TEST_CASE("embedded log: a file that is not a log is refused") {
  const test::TempDir directory;
  write_file(directory / "data.mdb", std::string(100'000, 'x'));

  const auto refused = EmbeddedLog::open({.directory = directory.path()});

  REQUIRE(!refused);
  CHECK(refused.error().code == Errc::corrupt);
  CHECK(refused.error().message.find(directory.path().string()) != std::string::npos);
}

TEST_CASE("embedded log: a log of a newer format is refused") {
  const test::TempDir directory;
  { ok(open(directory.path())->create_topic("in", 1)); }
  std::string file = read_file(directory / "data.mdb");
  std::string entry = "format";
  append_le(entry, std::uint32_t{1});
  std::string newer;
  append_le(newer, std::uint32_t{2});
  append_le(newer, checksum("format", newer));
  for (const std::size_t place : places_of(file, entry)) file.replace(place + 6, 12, newer);
  write_file(directory / "data.mdb", file);

  const auto refused = EmbeddedLog::open({.directory = directory.path()});

  REQUIRE(!refused);
  CHECK(refused.error().message.find("format 2") != std::string::npos);
}

TEST_CASE("embedded log: a directory that cannot be made is an error that names it") {
  const auto refused = EmbeddedLog::open({.directory = "/proc/weir/log"});
  REQUIRE(!refused);
  CHECK(refused.error().code == Errc::io);
  CHECK(refused.error().message.find("/proc/weir/log") != std::string::npos);
}

TEST_CASE("embedded log: a record that is too large is refused before anything is written") {
  const test::TempDir directory;
  const auto log = open(directory.path());
  ok(log->create_topic("in", 1));
  const std::string huge((std::size_t{128} << 20) + 1, 'h');
  NewRecord record;
  record.topic = "in";
  record.value = huge;

  const auto refused = log->append({&record, 1});

  REQUIRE(!refused);
  CHECK(refused.error().code == Errc::invalid);
  CHECK(ok(log->offsets({"in", 0})).end == 0);
}

TEST_CASE("embedded log: a map that is nearly full is trouble before it is an error") {
  const test::TempDir directory;
  const auto log =
      ok(EmbeddedLog::open({.directory = directory.path(), .map_bytes = std::uint64_t{1} << 20}));
  ok(log->create_topic("in", 1));
  const std::string value(50'000, 'v');
  NewRecord record;
  record.topic = "in";
  record.value = value;
  const auto figure = [&](std::string_view name) {
    for (const LogFigure& one : log->health().figures) {
      if (one.name == name) return one.value;
    }
    return -1.0;
  };
  const double before = figure("weir_log_file_bytes");
  CHECK(log->health().trouble.empty());

  std::string trouble;
  while (trouble.empty() && log->append({&record, 1})) trouble = log->health().trouble;

  CHECK(trouble.find("1048576 bytes") != std::string::npos);
  CHECK(log->health().reachable);
  CHECK(figure("weir_log_file_bytes") > before);
  CHECK(figure("weir_log_map_bytes") == 1048576.0);
}

}  // namespace weir::host
