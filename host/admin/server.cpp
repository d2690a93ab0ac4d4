#include "admin/server.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

namespace weir::host {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Protocol = asio::generic::stream_protocol;
using Stream = beast::basic_stream<Protocol>;
using Acceptor = asio::basic_socket_acceptor<Protocol>;

constexpr std::uint32_t header_bytes_max = 8 * 1024;
constexpr std::uint64_t body_bytes_max = 64 * 1024;
constexpr std::chrono::milliseconds rest_after_failure{100};

/// Whether a `Host:` header is one that a name server cannot have led here.
bool is_own_host(std::string_view host) {
  if (host.empty()) return true;
  std::string name(host);
  if (name.front() == '[') return name.find(']') != std::string::npos;
  name = name.substr(0, name.find(':'));
  in_addr ignored{};
  return name == "localhost" || inet_pton(AF_INET, name.c_str(), &ignored) == 1;
}

/// Whether the process at the other end of a unix socket may change this one.
bool is_own_user(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == geteuid() || peer.uid == 0;
}

}  // namespace

struct Server::Impl {
  Impl(Listener listener_in, Options options_in, Handler handler_in, Logger& logger_in)
      : listener(std::move(listener_in)),
        options(std::move(options_in)),
        handler(std::move(handler_in)),
        logger(logger_in),
        acceptor(context),
        rest(context) {}

  class Session;

  void accept();
  void session_ended() {
    --connections;
    if (!accepting) accept();
  }
  void run() {
    while (true) {
      try {
        context.run();
        return;
      } catch (const std::exception& failure) {
        logger.error("admin", "a request failed: {}", failure.what());
      }
    }
  }

  Listener listener;
  Options options;
  Handler handler;
  Logger& logger;
  bool ending = false;  // after the thread
  asio::io_context context{1};
  Acceptor acceptor;
  asio::steady_timer rest;
  std::size_t connections = 0;  // of the server's thread
  bool accepting = false;       // of the server's thread
  std::thread thread;
};

/// One connection: a request, an answer, the end.
class Server::Impl::Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Impl& server, Protocol::socket socket) : server_(server), stream_(std::move(socket)) {
    ++server_.connections;
    parser_.header_limit(header_bytes_max);
    parser_.body_limit(server_.options.post ? body_bytes_max : std::uint64_t{0});
  }
  ~Session() {
    if (!server_.ending) server_.session_ended();
  }

  void start() {
    stream_.expires_after(server_.options.deadline);
    http::async_read(stream_, buffer_, parser_,
                     [self = shared_from_this()](beast::error_code failed, std::size_t) {
                       if (failed == http::error::end_of_stream) return;
                       if (failed && failed.category() != parse_errors()) return;
                       self->answer(failed);
                     });
  }

 private:
  static const boost::system::error_category& parse_errors() {
    return make_error_code(http::error::bad_method).category();
  }

  void answer(beast::error_code failed) {
    HttpAnswer answer;
    const auto& request = parser_.get();
    const bool head = !failed && request.method() == http::verb::head;
    if (failed) {
      answer = {400, "text/plain; charset=utf-8",
                "this is not a request: " + failed.message() + "\n"};
    } else if (server_.options.post) {
      answer = answer_post();
      // It may have taken longer than the whole request was to take.
      stream_.expires_after(server_.options.deadline);
    } else if (request.method() != http::verb::get && !head) {
      answer = {405, "text/plain; charset=utf-8", "only GET and HEAD are answered\n"};
    } else if (server_.options.check_host && !is_own_host(text(request[http::field::host]))) {
      answer = {421, "text/plain; charset=utf-8",
                "ask for localhost or an address: this is no name of this host\n"};
    } else {
      const std::string_view target = text(request.target());
      answer = server_.handler(target.substr(0, target.find('?')));
    }
    response_.result(static_cast<unsigned>(answer.status));
    response_.version(11);
    response_.keep_alive(false);
    response_.set(http::field::content_type, answer.content_type);
    response_.set(http::field::cache_control, "no-store");
    if (answer.status == 405) {
      response_.set(http::field::allow, server_.options.post ? "POST" : "GET, HEAD");
    }
    response_.content_length(answer.body.size());
    if (!head) response_.body() = std::move(answer.body);
    http::async_write(stream_, serializer_,
                      [self = shared_from_this()](beast::error_code, std::size_t) {
                        beast::error_code ignored;
                        self->stream_.socket().shutdown(Protocol::socket::shutdown_send, ignored);
                      });
  }

  HttpAnswer answer_post() {
    constexpr const char* plain_text = "text/plain; charset=utf-8";
    const auto& request = parser_.get();
    if (!is_own_user(stream_.socket().native_handle())) {
      return {403, plain_text, "only the host's own user and root are answered\n"};
    }
    if (request.method() != http::verb::post) {
      return {405, plain_text, "only POST is answered\n"};
    }
    const std::string_view target = text(request.target());
    return server_.options.post(target.substr(0, target.find('?')), request.body());
  }

  static std::string_view text(beast::string_view view) { return {view.data(), view.size()}; }

  Impl& server_;
  Stream stream_;
  beast::flat_buffer buffer_{2 * header_bytes_max};
  http::request_parser<http::string_body> parser_;
  http::response<http::string_body> response_;
  http::response_serializer<http::string_body> serializer_{response_};
};

void Server::Impl::accept() {
  if (connections >= options.connections_max) return;
  accepting = true;
  acceptor.async_accept([this](beast::error_code failed, Protocol::socket socket) {
    accepting = false;
    if (!failed) {
      std::make_shared<Session>(*this, std::move(socket))->start();
      if (!accepting) accept();
      return;
    }
    // No descriptor is free, for example: asking again at once would spin.
    accepting = true;
    rest.expires_after(rest_after_failure);
    rest.async_wait([this](beast::error_code) { accept(); });
  });
}

Result<std::unique_ptr<Server>> Server::start(Listener listener, Options options, Handler handler,
                                              Logger& logger) {
  auto impl =
      std::make_unique<Impl>(std::move(listener), std::move(options), std::move(handler), logger);
  const int family = impl->listener.address().kind == ListenAddress::Kind::unix_socket ? AF_UNIX
                     : impl->listener.address().ip.find(':') == std::string::npos      ? AF_INET
                                                                                       : AF_INET6;
  beast::error_code failed;
  const int fd = impl->listener.release();
  impl->acceptor.assign(Protocol(family, 0), fd, failed);
  if (failed) {
    ::close(fd);
    return error(Errc::io, "cannot serve {}: {}", impl->listener.address().text(),
                 failed.message());
  }
  impl->accept();
  Impl* const raw = impl.get();
  raw->thread = std::thread([raw] { raw->run(); });
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() {
  impl_->context.stop();
  if (impl_->thread.joinable()) impl_->thread.join();
  impl_->ending = true;  // what is open ends with the context
}

const ListenAddress& Server::address() const { return impl_->listener.address(); }

}  // namespace weir::host
