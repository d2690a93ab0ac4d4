#include "admin/listener.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace weir::host {

namespace {

constexpr int backlog = 16;

/// A unix socket's address has room for 108 bytes, a path may be longer. The way through a
/// descriptor of its directory always fits.
class UnixAddress {
 public:
  static Result<UnixAddress> of(const std::filesystem::path& path) {
    UnixAddress out;
    out.address_.sun_family = AF_UNIX;
    std::string text = path.string();
    if (text.size() >= sizeof out.address_.sun_path) {
      out.directory_ = ::open(path.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
      if (out.directory_ < 0) {
        return error(Errc::io, "cannot open the directory of {}: {}", path.string(),
                     std::strerror(errno));
      }
      text = fmt::format("/proc/self/fd/{}/{}", out.directory_, path.filename().string());
      if (text.size() >= sizeof out.address_.sun_path) {
        return error(Errc::invalid, "the file name of the socket {} is too long", path.string());
      }
    }
    std::memcpy(out.address_.sun_path, text.c_str(), text.size() + 1);
    return out;
  }
  UnixAddress(UnixAddress&& other) noexcept
      : address_(other.address_), directory_(std::exchange(other.directory_, -1)) {}
  UnixAddress& operator=(UnixAddress&&) = delete;
  ~UnixAddress() {
    if (directory_ >= 0) ::close(directory_);
  }

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address_); }
  static constexpr socklen_t size = sizeof(sockaddr_un);

 private:
  UnixAddress() = default;
  sockaddr_un address_{};
  int directory_ = -1;
};

struct IpAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

IpAddress ip_address(const ListenAddress& address) {
  IpAddress out;
  if (address.ip.find(':') != std::string::npos) {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(out.storage);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(address.port);
    inet_pton(AF_INET6, address.ip.c_str(), &v6.sin6_addr);
    out.size = sizeof v6;
  } else {
    auto& v4 = reinterpret_cast<sockaddr_in&>(out.storage);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(address.port);
    inet_pton(AF_INET, address.ip.c_str(), &v4.sin_addr);
    out.size = sizeof v4;
  }
  return out;
}

Error cannot_listen(const ListenAddress& address, int code) {
  return error(code == EADDRINUSE ? Errc::unavailable : Errc::io,
               "the admin side cannot listen at {}: {}; set admin.listen to another address, or to "
               "off",
               address.text(), std::strerror(code));
}

/// Closes what it holds unless it is released.
class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

/// Makes room for the socket's file.
Result<void> clear_path(const ListenAddress& address) {
  struct stat info {};
  if (::lstat(address.path.c_str(), &info) != 0) return {};
  if (!S_ISSOCK(info.st_mode)) {
    return error(Errc::refused,
                 "{} is not a socket and stays as it is; set admin.listen to another path",
                 address.path);
  }
  const auto answers = connect_to(address);
  if (answers) ::close(*answers);
  if (answers || answers.error().code != Errc::not_found) {
    return error(Errc::refused, "another process answers at {}; stop it, or set admin.listen",
                 address.text());
  }
  if (::unlink(address.path.c_str()) != 0) return cannot_listen(address, errno);
  return {};
}

Result<int> listen_at_path(const ListenAddress& address) {
  WEIR_CHECK(clear_path(address));
  WEIR_TRY(const UnixAddress where, UnixAddress::of(address.path));
  Socket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // Linux makes the file with the mode of the socket, so that nobody gets in between.
  if (socket.get() < 0 || ::fchmod(socket.get(), 0600) != 0 ||
      ::bind(socket.get(), where.get(), UnixAddress::size) != 0 ||
      ::listen(socket.get(), backlog) != 0) {
    return cannot_listen(address, errno);
  }
  return socket.release();
}

Result<int> listen_at_port(ListenAddress& address) {
  const IpAddress where = ip_address(address);
  Socket socket(::socket(where.get()->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  // Not SO_REUSEPORT: two hosts would share one port and answer in turn.
  if (socket.get() < 0 ||
      ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(socket.get(), where.get(), where.size) != 0 || ::listen(socket.get(), backlog) != 0) {
    return cannot_listen(address, errno);
  }
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&bound), &size) != 0) {
    return cannot_listen(address, errno);
  }
  address.port =
      ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(bound).sin6_port
                                        : reinterpret_cast<const sockaddr_in&>(bound).sin_port);
  return socket.release();
}

}  // namespace

Result<Listener> Listener::open(const ListenAddress& wanted,
                                const std::filesystem::path& directory) {
  ListenAddress address = wanted;
  if (address.kind == ListenAddress::Kind::tcp) {
    WEIR_TRY(const int fd, listen_at_port(address));
    return Listener(fd, std::move(address));
  }
  std::error_code failed;
  address.path = std::filesystem::absolute(directory / address.path, failed).string();
  WEIR_TRY(const int fd, listen_at_path(address));
  Listener made(fd, std::move(address));
  struct stat info {};
  if (::lstat(made.address_.path.c_str(), &info) == 0) {
    made.device_ = info.st_dev;
    made.inode_ = info.st_ino;
  }
  return made;
}

Listener::Listener(Listener&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      address_(std::move(other.address_)),
      device_(other.device_),
      inode_(std::exchange(other.inode_, 0)) {}

Listener::~Listener() {
  if (fd_ >= 0) ::close(fd_);
  struct stat info {};
  if (inode_ == 0 || ::lstat(address_.path.c_str(), &info) != 0) return;
  if (info.st_dev == device_ && info.st_ino == inode_) ::unlink(address_.path.c_str());
}

int Listener::release() { return std::exchange(fd_, -1); }

Result<int> connect_to(const ListenAddress& address) {
  const auto nobody = [&](int code) {
    return error(code == ECONNREFUSED || code == ENOENT ? Errc::not_found : Errc::unavailable,
                 "nobody answers at {}: {}", address.text(), std::strerror(code));
  };
  if (address.kind == ListenAddress::Kind::off) return nobody(ENOTCONN);
  if (address.kind == ListenAddress::Kind::unix_socket) {
    const auto where = UnixAddress::of(address.path);
    if (!where) return nobody(ENOENT);
    // A full queue of a busy host is an error at once, not a wait.
    Socket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (socket.get() < 0 || ::connect(socket.get(), where->get(), UnixAddress::size) != 0) {
      return nobody(errno);
    }
    return socket.release();
  }
  const IpAddress where = ip_address(address);
  Socket socket(::socket(where.get()->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (socket.get() < 0 || ::connect(socket.get(), where.get(), where.size) != 0) {
    return nobody(errno);
  }
  return socket.release();
}

}  // namespace weir::host
