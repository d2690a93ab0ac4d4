#include "reload/probe.hpp"

#include <fstream>
#include <optional>

#include <sodium.h>
#include <unistd.h>

#include "base/bytes.hpp"
#include "reload/probe_file.hpp"
#include "resolve/check_child.hpp"

namespace weir::host {

namespace {

std::string draw_nonce() {
  std::string bytes(16, '\0');
  randombytes_buf(bytes.data(), bytes.size());
  return to_hex(bytes);
}

/// A file that ends with the object.
struct TemporaryFile {
  std::filesystem::path path;
  ~TemporaryFile() {
    std::error_code ignored;
    std::filesystem::remove(path, ignored);
  }
};

/// What the child has said so far.
struct Heard {
  std::string doing = "start";
  std::vector<std::string> done;
  std::optional<Refusal> refusal;
  bool finished = false;

  void hear(std::string_view line, const std::string& nonce) {
    if (!line.starts_with(nonce + ' ')) return;
    line.remove_prefix(nonce.size() + 1);
    const std::size_t space = line.find(' ');
    const std::string_view word = line.substr(0, space);
    std::string text = space == std::string_view::npos ? "" : unescape_line(line.substr(space + 1));
    if (word == "doing") doing = std::move(text);
    if (word == "done") done.push_back(std::move(text));
    if (word == "finished") finished = true;
    if (word != "fail" || refusal) return;
    const std::size_t end = text.find(' ');
    const std::string code = text.substr(0, end);
    refusal = Refusal{ReloadStep::probe, ReloadCode::record_fails, text.substr(end + 1)};
    for (const ReloadCode known :
         {ReloadCode::does_not_load, ReloadCode::stays_mapped, ReloadCode::settings_refused,
          ReloadCode::state_unreadable, ReloadCode::state_lost, ReloadCode::record_fails}) {
      if (name_of(known) == code) refusal->code = known;
    }
  }
};

}  // namespace

std::variant<std::vector<std::string>, Refusal> probe_build(const ProbeRequest& request) {
  const std::string nonce = draw_nonce();
  const auto cannot = [](std::string text) {
    return Refusal{ReloadStep::probe, ReloadCode::no_room, std::move(text)};
  };
  const TemporaryFile file{request.copies / ("probe-" + nonce.substr(0, 12))};
  if (auto written = write_probe_file(request, file.path); !written) {
    return cannot(written.error().message);
  }
  std::vector<std::string> command = request.command;
  command.insert(command.end(), {file.path.string(), nonce});
  Heard heard;
  auto end =
      run_child(command, request.time_max, [&](std::string_view line) { heard.hear(line, nonce); });
  if (!end) return cannot(end.error().message);
  if (heard.refusal) return *std::move(heard.refusal);
  if (heard.finished && end->how == "exit code 0") return std::move(heard.done);

  const std::string said = end->said.empty() ? "" : fmt::format("; it said: {}", end->said);
  const auto code = end->how.starts_with("no answer")    ? ReloadCode::hangs
                    : end->how == "SIGXCPU"              ? ReloadCode::hangs
                    : end->how.starts_with("exit code ") ? ReloadCode::exited
                                                         : ReloadCode::crashed;
  return Refusal{
      ReloadStep::probe, code,
      fmt::format("a process that tried it ended at \"{}\": {}{}; try `weir plugin check`",
                  heard.doing, end->how, said)};
}

}  // namespace weir::host
