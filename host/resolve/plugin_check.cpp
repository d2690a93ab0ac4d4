#include "resolve/plugin_check.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <utility>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/stubs/logging.h>
#include <google/protobuf/util/json_util.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/bytes.hpp"
#include "resolve/check_child.hpp"
#include "resolve/driven_resolver.hpp"
#include "resolve/guarded_memory.hpp"
#include "resolve/plugin_bytes.hpp"
#include "resolve/plugin_checks.hpp"
#include "resolve/plugin_lint.hpp"
#include "resolve/previous_checks.hpp"
#include "resolve/schemas.hpp"

namespace weir::host {

namespace {

namespace fs = std::filesystem;

/// What a checked plugin may take of the machine.
constexpr rlim_t address_space_max = rlim_t{8} << 30;
constexpr rlim_t file_size_max = rlim_t{1} << 30;

std::uint64_t random_seed() {
  std::random_device random;
  return (std::uint64_t{random()} << 32) ^ random();
}

/// Removed with everything in it.
struct ScratchDirectory {
  fs::path path;
  ~ScratchDirectory() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  static Result<ScratchDirectory> make() {
    std::string name = (fs::temp_directory_path() / "weir-check-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) {
      return error(Errc::io,
                   "cannot make a directory for the checks in {}; set TMPDIR to one that "
                   "can be written to",
                   fs::temp_directory_path().string());
    }
    return ScratchDirectory{name};
  }
  ScratchDirectory(fs::path made) : path(std::move(made)) {}
  ScratchDirectory(ScratchDirectory&& other) noexcept : path(std::exchange(other.path, {})) {}
  ScratchDirectory& operator=(ScratchDirectory&&) = delete;
};

std::string joined(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) out += (out.empty() ? "" : "\n") + line;
  return out;
}

std::string last_line(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  return printable(text.substr(text.rfind('\n') + 1), 200);
}

/// In the order of the rules.
std::vector<CheckResult> lint_results(const LintReport& lint) {
  std::vector<CheckResult> out;
  for (const std::string& rule : lint.rules) {
    const auto add = [&](const std::vector<PluginFinding>& findings, CheckStatus status) {
      for (const PluginFinding& finding : findings) {
        if (finding.rule == rule) out.push_back({finding.rule, status, finding.text});
      }
    };
    add(lint.passed, CheckStatus::pass);
    add(lint.warnings, CheckStatus::warn);
    add(lint.refusals, CheckStatus::fail);
  }
  return out;
}

/// What the lines of one child amount to.
class Answer {
 public:
  Answer(CheckReport& report, std::string nonce) : report_(report), nonce_(std::move(nonce)) {}

  void line(std::string_view text) {
    if (!text.starts_with(nonce_ + " ")) return;
    text.remove_prefix(nonce_.size() + 1);
    const std::size_t space = text.find(' ');
    const std::string_view word = text.substr(0, space);
    const std::string rest =
        space == std::string_view::npos ? "" : unescape_line(text.substr(space + 1));
    if (word == "begin") {
      running_ = std::strtoull(rest.c_str(), nullptr, 10);
      failures_.clear();
      warnings_.clear();
    } else if (word == "fail") {
      failures_.push_back(rest);
    } else if (word == "warn") {
      warnings_.push_back(rest);
    } else if (word == "end" && running_) {
      end(rest);
    } else if (word == "cause") {
      cause_ = rest;
    } else if (word == "done") {
      done_ = true;
    }
  }

  /// The child is gone. True: there are checks left to run, from `*next` on.
  bool ended(const ChildEnd& child, std::size_t* next) {
    const std::span<const PluginCheck> checks = plugin_checks();
    if (done_ || load_failed_) return false;
    const std::size_t at = running_.value_or(*next);
    if (at >= checks.size()) return false;
    std::string text = child.how;
    if (!cause_.empty()) text += ": " + cause_;
    if (!child.said.empty()) text += fmt::format("; it said: {}", last_line(child.said));
    text += fmt::format("; run it again with --seed {}", report_.seed);
    report_.results.push_back({std::string(checks[at].name), CheckStatus::crash, std::move(text)});
    *next = at + 1;
    return at != 0 && *next < checks.size();
  }

 private:
  void end(const std::string& note) {
    const CheckStatus status = !failures_.empty()   ? CheckStatus::fail
                               : !warnings_.empty() ? CheckStatus::warn
                                                    : CheckStatus::pass;
    std::string text = status == CheckStatus::fail   ? joined(failures_)
                       : status == CheckStatus::warn ? joined(warnings_)
                                                     : note;
    report_.results.push_back(
        {std::string(plugin_checks()[*running_].name), status, std::move(text)});
    if (*running_ == 0 && status == CheckStatus::fail) load_failed_ = true;
    running_.reset();
  }

  CheckReport& report_;
  std::string nonce_;
  std::optional<std::size_t> running_;
  std::vector<std::string> failures_;
  std::vector<std::string> warnings_;
  std::string cause_;
  bool done_ = false;
  bool load_failed_ = false;
};

void limit(int resource, rlim_t value) {
  rlimit now{};
  getrlimit(static_cast<__rlimit_resource_t>(resource), &now);
  const rlimit wanted{std::min(value, now.rlim_max), now.rlim_max};
  setrlimit(static_cast<__rlimit_resource_t>(resource), &wanted);
}

void limit_child(const CheckRequest& request) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_FSIZE, file_size_max);
  limit(RLIMIT_CPU, request.seconds_max);
#ifndef WEIR_SANITIZED
  limit(RLIMIT_AS, address_space_max);  // sanitizers reserve terabytes for their shadow
#endif
}

}  // namespace

bool CheckReport::passed() const {
  return count(CheckStatus::fail) == 0 && count(CheckStatus::crash) == 0;
}

std::size_t CheckReport::count(CheckStatus status) const {
  return static_cast<std::size_t>(std::ranges::count(results, status, &CheckResult::status));
}

Result<InspectReport> inspect_plugin(const fs::path& path) {
  WEIR_TRY(const std::string bytes, read_plugin_bytes(path));
  const LintReport lint = lint_plugin(path, bytes);
  InspectReport report;
  report.file = lint.file;
  report.loadable = lint.refusals.empty();
  report.lint = lint_results(lint);
  if (const auto schemas = Schemas::parse(lint.file.schemas)) report.schemas_text = schemas->text();
  return report;
}

Result<std::string> settings_from_json(const PluginFile& file, std::string_view resolver,
                                       std::string_view json) {
  namespace pb = google::protobuf;
  const Manifest::Resolver* found = file.manifest.find(resolver);
  if (found == nullptr) {
    return error(Errc::usage, "plugin {} has no resolver \"{}\"", file.manifest.plugin,
                 printable(resolver));
  }
  if (found->settings_type.empty()) {
    return error(Errc::usage, "resolver {} takes no settings", resolver);
  }
  WEIR_TRY(const Schemas schemas, Schemas::parse(file.schemas));
  pb::DynamicMessageFactory factory;
  const std::unique_ptr<pb::Message> message(
      factory.GetPrototype(schemas.message(found->settings_type))->New());
  const auto status = pb::util::JsonStringToMessage(std::string(json), message.get());
  if (!status.ok()) {
    return error(Errc::usage, "settings of resolver {} are no {}: {}", resolver,
                 found->settings_type, status.message().ToString());
  }
  return message->SerializeAsString();
}

Result<CheckReport> check_plugin(const fs::path& path, const CheckOptions& options) {
  WEIR_TRY(const std::string bytes, read_plugin_bytes(path));
  CheckReport report;
  report.seed = options.seed ? *options.seed : random_seed();
  {
    const LintReport lint = lint_plugin(path, bytes);
    report.results = lint_results(lint);
    report.file = lint.file;
    if (!lint.refusals.empty()) return report;
  }
  if (options.previous) {
    WEIR_TRY(const PluginFile previous, read_plugin_file(*options.previous));
    report.results.push_back(compare_with_previous(previous, report.file, options.state_conflicts));
  }
  WEIR_TRY(const ScratchDirectory scratch, ScratchDirectory::make());
  CheckRequest request;
  request.path = path;
  request.previous = options.previous.value_or(fs::path());
  request.copy_directory = scratch.path / "copies";
  request.seed = report.seed;
  request.settings = options.settings;
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(options.time_max).count();
  request.seconds_max =
      2 * static_cast<std::uint64_t>(seconds) * plugin_checks().size();  // a backstop only
  request.check_ms_max = static_cast<std::uint64_t>(options.time_max.count());
  bool goes_on = true;
  while (goes_on) {
    request.nonce = fmt::format("{:016x}", random_seed());
    std::vector<std::string> command = options.child_command;
    for (std::string& argument : request.to_arguments()) command.push_back(std::move(argument));
    Answer answer(report, request.nonce);
    const auto line = [&](std::string_view text) { answer.line(text); };
    WEIR_TRY(const ChildEnd end, run_child(command, options.time_max, line));
    goes_on = answer.ended(end, &request.first_check);
  }
  return report;
}

int run_check_child(std::span<const std::string> arguments) {
  const auto request = CheckRequest::from_arguments(arguments);
  if (!request) return EX_USAGE;
  limit_child(*request);
  const google::protobuf::LogSilencer quiet;  // damaged States make Protobuf talk
  const auto say = [&](std::string_view word, std::string_view text) {
    const std::string line = fmt::format("{} {} {}\n", request->nonce, word, escape_line(text));
    std::string_view rest = line;
    while (!rest.empty()) {
      const ssize_t count = write(check_answer_descriptor, rest.data(), rest.size());
      if (count <= 0) std::_Exit(EXIT_FAILURE);  // nobody listens any more
      rest.remove_prefix(static_cast<std::size_t>(count));
    }
  };
  explain_faults(check_answer_descriptor, request->nonce);
  const CheckSubject subject{request->path,      request->copy_directory,
                             request->seed,      request->settings,
                             request->previous,  std::chrono::milliseconds(request->check_ms_max),
                             ProcessState::now()};
  const std::span<const PluginCheck> checks = plugin_checks();
  for (std::size_t i = request->first_check; i < checks.size(); ++i) {
    if (checks[i].needs_previous && subject.previous.empty()) continue;
    say("begin", std::to_string(i));
    CheckFindings findings;
    try {
      checks[i].run(subject, findings);
    } catch (const BrokenRule& broken) {
      findings.failures.emplace_back(broken.what());
    }
    for (const std::string& text : findings.failures) say("fail", text);
    for (const std::string& text : findings.warnings) say("warn", text);
    say("end", findings.note);
    if (i == 0 && !findings.failures.empty()) return EXIT_SUCCESS;
  }
  say("done", "");
  // A plugin that stays mapped must not get a second chance to crash in its destructors.
  std::_Exit(EXIT_SUCCESS);
}

}  // namespace weir::host
