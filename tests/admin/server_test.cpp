#include "admin/server.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <stdexcept>
#include <thread>
#include <vector>

#include "admin/client.hpp"
#include "support/temp_dir.hpp"

namespace weir::host {
namespace {

using namespace std::chrono_literals;

constexpr auto patience = 20s;

ListenAddress address_of(const char* text) { return *parse_listen_address(text); }

/// A server that answers with the path, and how long it leaves a connection open.
struct Fixture {
  explicit Fixture(Server::Options options = {}, const char* listen = "127.0.0.1:0") {
    auto listener = Listener::open(address_of(listen), directory.path());
    REQUIRE(listener);
    auto started = Server::start(
        std::move(*listener), options,
        [](std::string_view path) {
          return HttpAnswer{200, "text/plain", "path " + std::string(path)};
        },
        logger);
    REQUIRE(started);
    server = std::move(*started);
  }
  Result<HttpAnswer> get(const std::string& path) {
    return http_get(server->address(), path, patience);
  }

  test::TempDir directory;
  Logger logger{Logger::Format::human, LogLevel::error};
  std::unique_ptr<Server> server;
};

/// A client that says what it likes.
class RawClient {
 public:
  explicit RawClient(const ListenAddress& address) {
    auto connected = connect_to(address);
    REQUIRE(connected);
    fd_ = *connected;
  }
  ~RawClient() { ::close(fd_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  /// False: the other side has closed.
  bool say(std::string_view text) {
    return ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
  }
  bool is_closed() const {
    char byte = 0;
    return ::recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
  }
  /// Everything until the other side closes; "?" when it does not.
  std::string hear() {
    std::string out;
    while (true) {
      pollfd one{fd_, POLLIN, 0};
      if (::poll(&one, 1, 20'000) != 1) return "?";
      char bytes[4096];
      const ssize_t size = ::recv(fd_, bytes, sizeof bytes, 0);
      if (size <= 0) return out;
      out.append(bytes, static_cast<std::size_t>(size));
    }
  }

 private:
  int fd_ = -1;
};

std::string asked(const Fixture& fixture, std::string_view request) {
  RawClient client(fixture.server->address());
  client.say(request);
  const std::string answer = client.hear();
  return answer.substr(0, answer.find('\r'));
}

}  // namespace

TEST_CASE("server: a client gets what the handler says for its path") {
  for (const char* listen : {"127.0.0.1:0", "[::1]:0", "unix:a.sock"}) {
    CAPTURE(listen);
    Fixture fixture({}, listen);
    const auto answer = fixture.get("/livez?verbose=1");
    REQUIRE(answer);
    CHECK(answer->status == 200);
    CHECK(answer->content_type == "text/plain");
    CHECK(answer->body == "path /livez");
  }
}

TEST_CASE("server: HEAD is GET without the body and other methods are refused") {
  Fixture fixture;
  RawClient client(fixture.server->address());
  client.say("HEAD /metrics HTTP/1.1\r\n\r\n");
  const std::string answer = client.hear();
  CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(answer.find("Content-Length: 13\r\n") != std::string::npos);
  CHECK(answer.ends_with("\r\n\r\n"));

  CHECK(asked(fixture, "DELETE /x HTTP/1.1\r\n\r\n") == "HTTP/1.1 405 Method Not Allowed");
}

TEST_CASE("server: what is not a request or too long is refused") {
  Fixture fixture;
  CHECK(asked(fixture, "\x16\x03\x01\x02\r\n\r\n") == "HTTP/1.1 400 Bad Request");
  CHECK(asked(fixture, "GET /x HTTP/1.1\r\nA: " + std::string(9000, 'a')) ==
        "HTTP/1.1 400 Bad Request");
  CHECK(asked(fixture, "GET /" + std::string(9000, 'x')) == "HTTP/1.1 400 Bad Request");
  CHECK(asked(fixture, "POST /x HTTP/1.1\r\nContent-Length: 10\r\n\r\n") ==
        "HTTP/1.1 400 Bad Request");
  CHECK(fixture.get("/after")->body == "path /after");
}

TEST_CASE("server: only names of this machine are answered to unless others are allowed") {
  const auto request = [](const std::string& host) {
    return "GET /x HTTP/1.1\r\nHost: " + host + "\r\n\r\n";
  };
  Fixture closed;
  for (const char* host : {"localhost", "localhost:9464", "127.0.0.1:1", "[::1]:80", "10.1.2.3"}) {
    CHECK(asked(closed, request(host)) == "HTTP/1.1 200 OK");
  }
  CHECK(asked(closed, request("weir.example")) == "HTTP/1.1 421 Misdirected Request");
  CHECK(asked(closed, request("127.0.0.1.weir.example:80")) == "HTTP/1.1 421 Misdirected Request");

  Fixture open({.check_host = false});
  CHECK(asked(open, request("weir.example")) == "HTTP/1.1 200 OK");
}

TEST_CASE("server: a client that talks slowly is cut off at the deadline") {
  Fixture fixture({.deadline = 200ms});
  RawClient client(fixture.server->address());
  const auto begun = std::chrono::steady_clock::now();
  const auto end = begun + patience;
  // Each byte comes well before a timeout for one read would pass.
  client.say("GET / HTTP/1.1\r\nA: ");
  while (!client.is_closed() && std::chrono::steady_clock::now() < end) {
    if (!client.say("a")) break;
    std::this_thread::sleep_for(5ms);
  }
  const auto took = std::chrono::steady_clock::now() - begun;

  CHECK(took >= 200ms);
  CHECK(took < patience);
}

TEST_CASE(
    "server: idle clients beyond the limit do not keep others out for longer than the deadline") {
  Fixture fixture({.connections_max = 3, .deadline = 200ms});
  std::vector<std::unique_ptr<RawClient>> idle;
  for (int i = 0; i < 8; ++i)
    idle.push_back(std::make_unique<RawClient>(fixture.server->address()));

  const auto answer = fixture.get("/livez");

  REQUIRE(answer);
  CHECK(answer->body == "path /livez");
}

TEST_CASE("server: a client that does not read its answer is cut off and hurts nobody") {
  test::TempDir directory;
  Logger logger(Logger::Format::human, LogLevel::error);
  auto server = Server::start(
      *Listener::open(address_of("unix:a.sock"), directory.path()),
      {.connections_max = 1, .deadline = 200ms},
      [](std::string_view path) {
        return HttpAnswer{200, "text/plain", std::string(path == "/big" ? 50'000'000 : 1, 'x')};
      },
      logger);
  REQUIRE(server);
  RawClient lazy((*server)->address());
  lazy.say("GET /big HTTP/1.1\r\n\r\n");

  const auto answer = http_get((*server)->address(), "/small", patience);

  REQUIRE(answer);
  CHECK(answer->body == "x");
}

TEST_CASE("server: it stops at once whoever is connected") {
  auto fixture = std::make_unique<Fixture>(Server::Options{.deadline = 1h});
  RawClient silent(fixture->server->address());
  RawClient half(fixture->server->address());
  half.say("GET / HT");
  REQUIRE(fixture->get("/"));  // so that both have been accepted
  const auto begun = std::chrono::steady_clock::now();

  fixture->server.reset();

  CHECK(std::chrono::steady_clock::now() - begun < patience);
  CHECK(silent.hear().empty());
}

TEST_CASE("server: a handler that throws costs its own connection only") {
  Logger logger(Logger::Format::human, LogLevel::error);
  test::TempDir directory;
  auto server = Server::start(
      *Listener::open(address_of("unix:a.sock"), directory.path()), {},
      [](std::string_view path) -> HttpAnswer {
        if (path == "/throw") throw std::runtime_error("thrown on purpose");
        return {200, "text/plain", "fine"};
      },
      logger);
  REQUIRE(server);

  CHECK_FALSE(http_get((*server)->address(), "/throw", patience));
  CHECK(http_get((*server)->address(), "/", patience)->body == "fine");
}

TEST_CASE("listener: a unix socket is for its own user from the first moment and gone at the end") {
  const test::TempDir directory;
  const std::filesystem::path path = directory / "a.sock";
  const mode_t before = ::umask(0);
  {
    const auto listener = Listener::open(address_of("unix:a.sock"), directory.path());
    ::umask(before);
    REQUIRE(listener);
    CHECK(listener->address().text() == "unix:" + path.string());
    struct stat info {};
    REQUIRE(::lstat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
  }
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("listener: what a dead process left is replaced") {
  const test::TempDir directory;
  {
    auto listener = Listener::open(address_of("unix:a.sock"), directory.path());
    REQUIRE(listener);
    std::filesystem::create_hard_link(directory / "a.sock", directory / "kept");
  }
  std::filesystem::rename(directory / "kept", directory / "a.sock");
  REQUIRE(std::filesystem::exists(directory / "a.sock"));

  CHECK(Listener::open(address_of("unix:a.sock"), directory.path()));
}

TEST_CASE("listener: a socket that somebody answers at and a file are left alone") {
  const test::TempDir directory;
  const auto first = Listener::open(address_of("unix:a.sock"), directory.path());
  REQUIRE(first);
  const auto second = Listener::open(address_of("unix:a.sock"), directory.path());
  REQUIRE_FALSE(second);
  CHECK(second.error().code == Errc::refused);
  CHECK(std::filesystem::exists(directory / "a.sock"));

  std::ofstream(directory / "file") << "mine";
  const auto third = Listener::open(address_of("unix:file"), directory.path());
  REQUIRE_FALSE(third);
  CHECK(third.error().code == Errc::refused);
  CHECK(std::filesystem::file_size(directory / "file") == 4);
}

TEST_CASE("listener: a path that no socket address has room for works") {
  const test::TempDir directory;
  const std::filesystem::path deep = directory / std::string(120, 'd');
  std::filesystem::create_directory(deep);
  const auto listener = Listener::open(address_of("unix:a.sock"), deep);
  REQUIRE(listener);

  const auto connected = connect_to(listener->address());

  REQUIRE(connected);
  ::close(*connected);
  CHECK(std::filesystem::exists(deep / "a.sock"));
}

TEST_CASE("listener: a port belongs to one host") {
  const auto first = Listener::open(address_of("127.0.0.1:0"), ".");
  REQUIRE(first);
  CHECK(first->address().port != 0);

  const auto second = Listener::open(first->address(), ".");

  REQUIRE_FALSE(second);
  CHECK(second.error().code == Errc::unavailable);
  CHECK(second.error().message.find("admin.listen") != std::string::npos);
}

TEST_CASE("listener: nobody at an address is told from everything else") {
  const test::TempDir directory;
  CHECK(connect_to(address_of("off")).error().code == Errc::unavailable);
  CHECK(connect_to(address_of(("unix:" + (directory / "no").string()).c_str())).error().code ==
        Errc::not_found);
}

}  // namespace weir::host
