#include "admin/client.hpp"

#include <optional>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include "admin/listener.hpp"

namespace weir::host {

namespace {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Protocol = asio::generic::stream_protocol;

/// Far above what a host with thousands of tasks answers.
constexpr std::uint64_t answer_bytes_max = std::uint64_t{256} << 20;

template <typename Body>
Result<HttpAnswer> ask(const ListenAddress& address, http::request<Body> request,
                       std::chrono::milliseconds deadline) {
  WEIR_TRY(const int fd, connect_to(address));
  asio::io_context context{1};
  beast::basic_stream<Protocol> stream(context);
  stream.socket().assign(
      Protocol(address.kind == ListenAddress::Kind::unix_socket ? AF_UNIX : AF_INET, 0), fd);
  stream.expires_after(deadline);

  request.set(http::field::host, "localhost");
  request.keep_alive(false);
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(answer_bytes_max);
  beast::error_code outcome;
  http::async_write(stream, request, [&](beast::error_code failed, std::size_t) {
    // A server that refuses a request may answer before it has read all of it.
    static_cast<void>(failed);
    http::async_read(stream, buffer, parser,
                     [&](beast::error_code read_failed, std::size_t) { outcome = read_failed; });
  });
  context.run();
  if (outcome) {
    return error(Errc::unavailable, "{} does not answer {}: {}", address.text(),
                 request.target().to_string(), outcome.message());
  }
  const auto type = parser.get()[http::field::content_type];
  return HttpAnswer{static_cast<int>(parser.get().result_int()),
                    std::string(type.data(), type.size()), std::move(parser.get().body())};
}

}  // namespace

Result<HttpAnswer> http_get(const ListenAddress& address, const std::string& path,
                            std::chrono::milliseconds deadline) {
  return ask(address, http::request<http::empty_body>(http::verb::get, path, 11), deadline);
}

Result<HttpAnswer> http_post(const ListenAddress& address, const std::string& path,
                             std::string body, std::chrono::milliseconds deadline) {
  http::request<http::string_body> request(http::verb::post, path, 11);
  request.body() = std::move(body);
  request.prepare_payload();
  return ask(address, std::move(request), deadline);
}

}  // namespace weir::host
