#include "publish/sink.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::host {

namespace {

Error io_error(const std::filesystem::path& path, std::string_view what) {
  return error(errno == ENOSPC || errno == EDQUOT ? Errc::full : Errc::io, "sink file {}: {}: {}",
               path.string(), what, std::strerror(errno));
}

class FileSink final : public LineSink {
 public:
  FileSink(std::filesystem::path path, int fd, std::int64_t size)
      : path_(std::move(path)), fd_(fd), size_(size) {}
  ~FileSink() override { close(fd_); }

  Result<void> append(std::string_view lines) override {
    std::size_t done = 0;
    while (done < lines.size()) {
      const ssize_t written = pwrite(fd_, lines.data() + done, lines.size() - done,
                                     size_ + static_cast<std::int64_t>(done));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return io_error(path_, "cannot append");
      done += static_cast<std::size_t>(written);
    }
    if (fdatasync(fd_) != 0) return io_error(path_, "cannot sync");
    size_ += static_cast<std::int64_t>(lines.size());
    return {};
  }

  std::int64_t position() const override { return size_; }

  Result<void> restore(std::int64_t position) override {
    if (size_ < position) {
      return error(
          Errc::refused,
          "sink file {} has {} B, but {} B were written to it; put the file back, or point "
          "the sink at a new path",
          path_.string(), size_, position);
    }
    if (size_ > position && ftruncate(fd_, position) != 0) return io_error(path_, "cannot cut");
    size_ = position;
    return {};
  }

 private:
  std::filesystem::path path_;
  int fd_;
  std::int64_t size_;
};

class StdoutSink final : public LineSink {
 public:
  explicit StdoutSink(std::mutex& mutex) : mutex_(mutex) {}

  Result<void> append(std::string_view lines) override {
    const std::lock_guard lock(mutex_);
    if (std::fwrite(lines.data(), 1, lines.size(), stdout) != lines.size() ||
        std::fflush(stdout) != 0) {
      return error(Errc::io, "standard output: {}", std::strerror(errno));
    }
    return {};
  }
  std::int64_t position() const override { return -1; }
  Result<void> restore(std::int64_t) override { return {}; }

 private:
  std::mutex& mutex_;
};

}  // namespace

Result<std::unique_ptr<LineSink>> open_file_sink(const std::filesystem::path& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0 && errno == ENOENT) {
    return error(Errc::io, "sink file {}: there is no directory {}; make it first", path.string(),
                 path.parent_path().string());
  }
  if (fd < 0) return io_error(path, "cannot open");
  struct stat status {};
  if (fstat(fd, &status) != 0) {
    close(fd);
    return io_error(path, "cannot look at it");
  }
  return std::unique_ptr<LineSink>(std::make_unique<FileSink>(path, fd, status.st_size));
}

std::unique_ptr<LineSink> open_stdout_sink(std::mutex& stdout_mutex) {
  return std::make_unique<StdoutSink>(stdout_mutex);
}

}  // namespace weir::host
