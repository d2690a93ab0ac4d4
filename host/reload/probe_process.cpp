#include "reload/probe_process.hpp"

#include <sodium.h>

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

Refusal refusal_of(const std::string& text) {
  const std::size_t end = text.find(' ');
  const std::string code = text.substr(0, end);
  Refusal refusal{ReloadStep::probe, ReloadCode::record_fails, text.substr(end + 1)};
  for (const ReloadCode known :
       {ReloadCode::does_not_load, ReloadCode::stays_mapped, ReloadCode::process_changed,
        ReloadCode::settings_refused, ReloadCode::state_unreadable, ReloadCode::state_lost,
        ReloadCode::record_fails, ReloadCode::too_slow}) {
    if (name_of(known) == code) refusal.code = known;
  }
  return refusal;
}

}  // namespace

ReloadCode ProbeEnd::code() const {
  return how.starts_with("no answer")    ? ReloadCode::hangs
         : how == "SIGXCPU"              ? ReloadCode::hangs
         : how.starts_with("exit code ") ? ReloadCode::exited
                                         : ReloadCode::crashed;
}

std::string ProbeEnd::text() const {
  return fmt::format("a process that tried it ended at \"{}\": {}{}{}; try `weir plugin check`",
                     doing, how, cause.empty() ? "" : ": " + cause,
                     said.empty() ? "" : fmt::format("; it said: {}", said));
}

Result<ProbeEnd> run_probe_process(
    const ProbeRequest& request,
    const std::function<void(std::string_view word, const std::string& text)>& hear) {
  const std::string nonce = draw_nonce();
  const TemporaryFile file{request.copies / ("probe-" + nonce.substr(0, 12))};
  WEIR_CHECK(write_probe_file(request, file.path));
  std::vector<std::string> command = request.command;
  command.insert(command.end(), {file.path.string(), nonce});
  ProbeEnd end;
  const auto on_line = [&](std::string_view line) {
    if (!line.starts_with(nonce + ' ')) return;
    line.remove_prefix(nonce.size() + 1);
    const std::size_t space = line.find(' ');
    const std::string_view word = line.substr(0, space);
    const std::string text =
        space == std::string_view::npos ? "" : unescape_line(line.substr(space + 1));
    if (word == "doing") {
      end.doing = text;
    } else if (word == "cause") {
      end.cause = text;
    } else if (word == "finished") {
      end.finished = true;
    } else if (word == "fail") {
      if (!end.refusal) end.refusal = refusal_of(text);
    } else {
      hear(word, text);
    }
  };
  WEIR_TRY(ChildEnd child, run_child(command, request.time_max, on_line));
  end.how = std::move(child.how);
  end.said = std::move(child.said);
  end.finished = end.finished && end.how == "exit code 0";
  return end;
}

}  // namespace weir::host
