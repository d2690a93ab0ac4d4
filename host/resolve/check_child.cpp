#include "resolve/check_child.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.hpp"

namespace weir::host {

namespace {

constexpr std::size_t said_bytes_max = 2000;
constexpr std::size_t line_bytes_max = std::size_t{1} << 20;

Error system_error(std::string_view what, int number) {
  return error(Errc::io, "cannot {}: {}", what, std::generic_category().message(number));
}

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() { reset(); }
  void reset() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  int get() const { return fd_; }

 private:
  int fd_ = -1;
};

struct Pipe {
  Descriptor read;
  Descriptor write;

  static Result<Pipe> open() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) return system_error("make a pipe", errno);
    Pipe pipe{Descriptor(ends[0]), Descriptor(ends[1])};
    // dup2() onto itself would keep close-on-exec: stay above what the child gets.
    for (Descriptor* end : {&pipe.read, &pipe.write}) {
      const int moved = fcntl(end->get(), F_DUPFD_CLOEXEC, 10);
      if (moved < 0) return system_error("move a descriptor", errno);
      *end = Descriptor(moved);
    }
    return pipe;
  }
};

Result<pid_t> start(const std::vector<std::string>& command, int answer, int output) {
  std::vector<char*> arguments;
  for (const std::string& argument : command) {
    arguments.push_back(const_cast<char*>(argument.c_str()));  // posix_spawn() does not write
  }
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
  posix_spawn_file_actions_adddup2(&actions, answer, check_answer_descriptor);
  // A group of its own, so that what the plugin has started goes with it.
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  pid_t pid = -1;
  const int failed =
      posix_spawn(&pid, command[0].c_str(), &actions, &attributes, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (failed != 0) return system_error(fmt::format("start {}", command[0]), failed);
  return pid;
}

/// Reads what is there; false at the end.
bool read_some(int fd, std::string& out) {
  std::array<char, 4096> buffer;
  const ssize_t count = read(fd, buffer.data(), buffer.size());
  if (count < 0) return errno == EINTR || errno == EAGAIN;
  out.append(buffer.data(), static_cast<std::size_t>(count));
  return count > 0;
}

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status)) {
    const char* name = sigabbrev_np(WTERMSIG(status));
    return name == nullptr ? fmt::format("signal {}", WTERMSIG(status))
                           : fmt::format("SIG{}", name);
  }
  return fmt::format("exit code {}", WEXITSTATUS(status));
}

}  // namespace

std::vector<std::string> CheckRequest::to_arguments() const {
  std::vector<std::string> out = {path.string(),
                                  previous.string(),
                                  copy_directory.string(),
                                  nonce,
                                  std::to_string(seed),
                                  std::to_string(first_check),
                                  std::to_string(seconds_max),
                                  std::to_string(check_ms_max)};
  for (const auto& [resolver, bytes] : settings) {
    out.push_back(fmt::format("{}={}", resolver, to_hex(bytes)));
  }
  return out;
}

std::optional<CheckRequest> CheckRequest::from_arguments(std::span<const std::string> arguments) {
  const auto number = [](const std::string& text, auto& value) {
    return std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc{};
  };
  if (arguments.size() < 8) return {};
  CheckRequest request;
  request.path = arguments[0];
  request.previous = arguments[1];
  request.copy_directory = arguments[2];
  request.nonce = arguments[3];
  if (!number(arguments[4], request.seed) || !number(arguments[5], request.first_check) ||
      !number(arguments[6], request.seconds_max) || !number(arguments[7], request.check_ms_max)) {
    return {};
  }
  for (const std::string& setting : arguments.subspan(8)) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos) return {};
    std::string& bytes = request.settings[setting.substr(0, equals)];
    for (std::size_t at = equals + 1; at + 1 < setting.size(); at += 2) {
      unsigned char byte = 0;
      std::from_chars(setting.data() + at, setting.data() + at + 2, byte, 16);
      bytes.push_back(static_cast<char>(byte));
    }
  }
  return request;
}

std::string escape_line(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out.push_back(c);
    }
  }
  return out;
}

std::string unescape_line(std::string_view line) {
  std::string out;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] != '\\' || i + 1 == line.size()) {
      out.push_back(line[i]);
    } else {
      out.push_back(line[++i] == 'n' ? '\n' : line[i]);
    }
  }
  return out;
}

Result<ChildEnd> run_child(const std::vector<std::string>& command,
                           std::chrono::milliseconds silence_max,
                           const std::function<void(std::string_view)>& line) {
  WEIR_TRY(Pipe answer, Pipe::open());
  WEIR_TRY(Pipe output, Pipe::open());
  WEIR_TRY(const pid_t pid, start(command, answer.write.get(), output.write.get()));
  answer.write.reset();
  output.write.reset();

  using Clock = std::chrono::steady_clock;
  ChildEnd end;
  std::string unread;
  auto deadline = Clock::now() + silence_max;
  bool answers = true;
  bool speaks = true;
  bool timed_out = false;
  // The answer's end is the child's end, unless something it has started still holds the pipe.
  while (answers) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) {
      timed_out = true;
      break;
    }
    std::array<pollfd, 2> waits = {pollfd{answer.read.get(), POLLIN, 0},
                                   pollfd{speaks ? output.read.get() : -1, POLLIN, 0}};
    if (poll(waits.data(), waits.size(), static_cast<int>(left.count())) < 0 && errno != EINTR) {
      break;
    }
    if (waits[1].revents != 0) speaks = read_some(output.read.get(), end.said);
    if (waits[0].revents != 0) answers = read_some(answer.read.get(), unread);
    for (std::size_t at = unread.find('\n'); at != std::string::npos; at = unread.find('\n')) {
      line(std::string_view(unread).substr(0, at));
      unread.erase(0, at + 1);
      deadline = Clock::now() + silence_max;
    }
    if (unread.size() > line_bytes_max) unread.clear();
    if (end.said.size() > said_bytes_max) end.said.erase(0, end.said.size() - said_bytes_max);
  }
  // A child that has closed its pipe but does not end is as dead as one that is silent.
  siginfo_t ended{};
  while (!timed_out && ended.si_pid == 0 &&
         waitid(P_PID, static_cast<id_t>(pid), &ended, WEXITED | WNOHANG | WNOWAIT) == 0) {
    if (Clock::now() >= deadline) timed_out = true;
    if (ended.si_pid == 0) poll(nullptr, 0, 1);
  }
  // Its group first, while the child is not reaped yet and the number cannot be somebody else's.
  kill(-pid, SIGKILL);
  int status = 0;
  waitpid(pid, &status, 0);
  fcntl(output.read.get(), F_SETFL, O_NONBLOCK);
  while (speaks) {
    const std::size_t before = end.said.size();
    speaks = read_some(output.read.get(), end.said) && end.said.size() > before;
  }
  if (end.said.size() > said_bytes_max) end.said.erase(0, end.said.size() - said_bytes_max);
  end.how =
      timed_out ? fmt::format("no answer for {} ms", silence_max.count()) : how_it_ended(status);
  return end;
}

}  // namespace weir::host
