#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/listen_address.hpp"
#include "base/result.hpp"

namespace weir::host {

/// A listening socket that belongs to this object until release().
class Listener {
 public:
  /// A unix socket's path is relative to `directory`. Its file has mode 0600 from its first moment;
  /// one that a dead process left is replaced, one that somebody answers at is not.
  /// Errc::refused: something else is there. Errc::unavailable: the port is taken.
  static Result<Listener> open(const ListenAddress& address,
                               const std::filesystem::path& directory);
  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&&) = delete;
  ~Listener();  ///< removes the unix socket's file, if it is still this one's

  int fd() const { return fd_; }
  /// The socket from now on belongs to the caller; the file stays this object's.
  int release();

  /// Where clients connect to: a chosen port is in it, a path is absolute.
  const ListenAddress& address() const { return address_; }

 private:
  Listener(int fd, ListenAddress address) : fd_(fd), address_(std::move(address)) {}
  int fd_;
  ListenAddress address_;
  std::uint64_t device_ = 0;
  std::uint64_t inode_ = 0;
};

/// Connects to what a Listener listens at; the descriptor is the caller's. Errc::not_found: nobody
/// listens there. Errc::unavailable: it cannot be told.
Result<int> connect_to(const ListenAddress& address);

}  // namespace weir::host
