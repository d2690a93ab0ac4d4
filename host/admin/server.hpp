#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "admin/http.hpp"
#include "admin/listener.hpp"
#include "base/logger.hpp"
#include "base/result.hpp"

namespace weir::host {

/// Answers GET and HEAD over HTTP/1.1, one request a connection, all on one thread of its own.
///
/// What a client does costs no more than that: a connection ends after `deadline`, however slowly
/// it talks; further ones wait in the kernel while `connections_max` are open; a request is at most
/// 8 KiB and has no body.
///
/// Boost.Beast and not cpp-httplib, because the latter has a thread for each connection and a
/// timeout for each read: eight clients that send a byte a second would hold all of its threads,
/// and a stop of the host, for hours.
class Server {
 public:
  struct Options {
    std::size_t connections_max = 32;
    std::chrono::milliseconds deadline{5000};
    /// Where only this machine can connect, a `Host:` that is a name must be localhost, so that no
    /// web page reads the answers under a name of its own.
    bool check_host = true;
    /// Takes POST in the place of GET, with a body of at most 64 KiB, from processes of the host's
    /// own user and root alone: for unix sockets. May take its time; other requests wait meanwhile.
    std::function<HttpAnswer(std::string_view path, std::string_view body)> post;
  };
  /// `path` is the target without its query. Called by the server's thread only.
  using Handler = std::function<HttpAnswer(std::string_view path)>;

  /// The handler may be called from now on. `logger` outlives the server.
  static Result<std::unique_ptr<Server>> start(Listener listener, Options options, Handler handler,
                                               Logger& logger);
  ~Server();  ///< ends every connection at once
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  const ListenAddress& address() const;

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::host
