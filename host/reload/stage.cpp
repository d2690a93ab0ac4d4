#include "reload/stage.hpp"

#include <array>
#include <utility>

#include <sys/stat.h>
#include <unistd.h>

#include "commit/files.hpp"
#include "resolve/plugin_bytes.hpp"
#include "resolve/plugin_lint.hpp"

namespace weir::host {

namespace {

/// The lint's words for its rules are the codes'.
ReloadCode code_of(std::string_view rule) {
  for (const ReloadCode code :
       {ReloadCode::file, ReloadCode::exports, ReloadCode::unload, ReloadCode::runtime,
        ReloadCode::protobuf, ReloadCode::manifest, ReloadCode::abi, ReloadCode::schemas,
        ReloadCode::libraries, ReloadCode::imports}) {
    if (name_of(code) == rule) return code;
  }
  return ReloadCode::file;
}

/// Whoever may write to a directory on the way to the file can put another one in its place.
std::optional<std::string> whose_directory_others_write(const std::filesystem::path& path) {
  std::error_code code;
  // The way as it is named, which may lead over links, and the way that it is.
  for (const auto& way : {std::filesystem::absolute(path, code).lexically_normal(),
                          std::filesystem::canonical(path, code)}) {
    for (auto at = way.parent_path(); !at.empty(); at = at.parent_path()) {
      struct stat status {};
      const bool found = stat(at.c_str(), &status) == 0;
      if (found && (status.st_mode & S_IWOTH) != 0 && (status.st_mode & S_ISVTX) == 0) {
        return fmt::format(
            "plugin {} lies below {}, which can be written by all (mode {:04o}): whoever writes "
            "there can put another file in its place; take that right away, or put the plugin "
            "elsewhere",
            path.string(), at.string(), status.st_mode & 07777u);
      }
      if (at == at.root_path()) break;
    }
  }
  return std::nullopt;
}

/// Whoever may write to the file decides what this process runs.
std::optional<std::string> who_else_writes(const std::filesystem::path& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return std::nullopt;  // read_plugin_bytes() says why
  const bool others = (status.st_mode & S_IWOTH) != 0;
  if (!others && (status.st_uid == geteuid() || status.st_uid == 0)) {
    return whose_directory_others_write(path);
  }
  return fmt::format(
      "plugin {} can be written by others (owner {}, mode {:04o}): whoever writes it decides what "
      "this host runs; make it yours or root's, and not writable by all",
      path.string(), status.st_uid, status.st_mode & 07777u);
}

}  // namespace

std::variant<Staged, Refusal> stage_plugin(const std::filesystem::path& path,
                                           const std::string& sha256,
                                           const std::filesystem::path& copies) {
  const auto refused = [](ReloadStep step, ReloadCode code, std::string text) {
    return Refusal{step, code, std::move(text)};
  };
  const auto bytes = read_plugin_bytes(path);
  if (!bytes) return refused(ReloadStep::stage, ReloadCode::unreadable, bytes.error().message);
  if (auto others = who_else_writes(path)) {
    return refused(ReloadStep::stage, ReloadCode::writable_by_others, *std::move(others));
  }
  const std::string found = sha256_hex(*bytes);
  if (!sha256.empty() && found != sha256) {
    return refused(
        ReloadStep::stage, ReloadCode::hash_mismatch,
        fmt::format("plugin {} has sha256 {}, and {} is asked for, or pinned in the YAML",
                    path.string(), found, sha256));
  }
  LintReport report = lint_plugin(path, *bytes);
  if (!report.refusals.empty()) {
    return refused(ReloadStep::lint, code_of(report.refusals.front().rule),
                   refusal(report).message);
  }
  Staged staged;
  staged.file = std::move(report.file);
  if (!staged.file.schemas.empty()) {
    auto schemas = Schemas::parse(staged.file.schemas);
    if (!schemas) {
      return refused(ReloadStep::lint, ReloadCode::schemas, schemas.error().message);
    }
    staged.schemas = *std::move(schemas);
  }
  staged.copy = copies / (found + ".so");
  std::error_code ignored;
  if (!std::filesystem::exists(staged.copy, ignored)) {
    auto kept = make_durable_directory(copies);
    if (kept) kept = write_durable_file(staged.copy, *bytes);
    if (!kept) return refused(ReloadStep::stage, ReloadCode::no_room, kept.error().message);
  }
  return staged;
}

}  // namespace weir::host
