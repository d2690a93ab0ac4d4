#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace weir::host {

/// Where a server of this host listens: `127.0.0.1:9464`, `[::1]:9464`, `localhost:0`,
/// `unix:admin.sock` or `off`.
struct ListenAddress {
  enum class Kind { off, unix_socket, tcp } kind = Kind::off;
  std::string path;  ///< unix_socket: as it was written
  std::string ip;    ///< tcp: a literal address
  std::uint16_t port = 0;

  /// Nobody on another machine can reach it.
  bool is_local() const;

  /// As parse_listen_address() takes it.
  std::string text() const;
};

/// Errc::invalid. Names are not looked up, apart from localhost: what is listened on must not
/// depend on a name server.
Result<ListenAddress> parse_listen_address(std::string_view text);

}  // namespace weir::host
