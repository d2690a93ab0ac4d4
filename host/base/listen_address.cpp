#include "base/listen_address.hpp"

#include <arpa/inet.h>

#include "base/bytes.hpp"
#include "base/number.hpp"

namespace weir::host {

bool ListenAddress::is_local() const {
  return kind != Kind::tcp || ip == "::1" || ip.starts_with("127.");
}

std::string ListenAddress::text() const {
  switch (kind) {
    case Kind::off:
      break;
    case Kind::unix_socket:
      return "unix:" + path;
    case Kind::tcp:
      if (ip.find(':') != std::string::npos) return fmt::format("[{}]:{}", ip, port);
      return fmt::format("{}:{}", ip, port);
  }
  return "off";
}

Result<ListenAddress> parse_listen_address(std::string_view text) {
  constexpr std::string_view unix_prefix = "unix:";
  if (text == "off") return ListenAddress{};
  if (text.starts_with(unix_prefix)) {
    const std::string_view path = text.substr(unix_prefix.size());
    if (path.empty()) return error(Errc::invalid, "\"unix:\" has no path behind it");
    return ListenAddress{ListenAddress::Kind::unix_socket, std::string(path), "", 0};
  }
  const auto wrong = [&](std::string_view why) {
    return error(Errc::invalid, "\"{}\" is not an address: {}", printable(text), why);
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return wrong("a port is missing, as in 127.0.0.1:9464");
  const std::string_view port_text = text.substr(colon + 1);
  const auto port = to_number<std::uint16_t>(port_text);
  if (!port) {
    return wrong("its port is not a number from 0 to 65535");
  }

  std::string ip(text.substr(0, colon));
  if (ip == "localhost") ip = "127.0.0.1";
  in6_addr binary{};
  int family = AF_INET;
  if (ip.size() > 2 && ip.front() == '[' && ip.back() == ']') {
    ip = ip.substr(1, ip.size() - 2);
    family = AF_INET6;
  }
  if (inet_pton(family, ip.c_str(), &binary) != 1) {
    return wrong("write an IP address such as 127.0.0.1 or [::1], or localhost");
  }
  char canonical[INET6_ADDRSTRLEN] = {};
  inet_ntop(family, &binary, canonical, sizeof canonical);
  return ListenAddress{ListenAddress::Kind::tcp, "", canonical, *port};
}

}  // namespace weir::host
