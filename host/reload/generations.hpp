#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "reload/refusal.hpp"
#include "resolve/plugin.hpp"
#include "weir/v1/generations.pb.h"

namespace weir::host {

v1::Generation generation_of(const PluginFile& file, const std::filesystem::path& from);

/// Which builds an app has had, and copies of those that may be needed again, durably in the state
/// directory: <state>/plugins/history, <state>/plugins/builds/<sha256>.so. [control]
class Generations {
 public:
  /// Errc::corrupt: the file is not what this wrote.
  static Result<Generations> open(const std::filesystem::path& state);

  const v1::Generations& stored() const { return stored_; }
  /// Where copies are kept, by hash.
  std::filesystem::path builds() const { return directory_ / "builds"; }

  /// The copy of what was promoted last. Absent: nothing was, or its copy is not here any more.
  /// `yaml_file`: the file that the YAML names for the plugin.
  std::optional<std::filesystem::path> promoted_copy(const std::filesystem::path& yaml_file) const;
  /// What was promoted or started before what is promoted now, if its copy is still here.
  std::optional<v1::Generation> before_promoted(const std::string& plugin) const;

  /// When the tasks last went over to the build with this hash; 0: not known.
  std::int64_t last_reload_ms(const std::string& sha256) const;

  /// Keeps a copy of `file`, whose hash is `sha256`.
  Result<void> keep(const std::string& sha256, const std::filesystem::path& file) const;

  Result<void> started(std::int64_t at_ms, const v1::Generation& generation);
  /// The tasks are about to go over to it.
  Result<void> announce(const v1::Generation& generation);
  /// They have not, and run on with `in_probation`, or with what was promoted.
  Result<void> withdraw(const std::string& plugin, const v1::Generation* in_probation);
  Result<void> reloaded(std::int64_t at_ms, const v1::Generation& generation,
                        const v1::Generation& before);
  Result<void> promoted(std::int64_t at_ms, const v1::Generation& generation);
  /// `to` runs again in the place of `from`.
  Result<void> rolled_back(std::int64_t at_ms, const v1::Generation& to, const v1::Generation& from,
                           ReloadCode code, const std::string& text, const std::string& crash = {});
  Result<void> refused(std::int64_t at_ms, const v1::Generation& generation,
                       const Refusal& refusal);

 private:
  explicit Generations(std::filesystem::path directory) : directory_(std::move(directory)) {}
  v1::GenerationEvent& add(std::int64_t at_ms, v1::GenerationEvent::What what,
                           const v1::Generation& generation);
  Result<void> write();
  /// Deletes copies that neither a restart nor a rollback will ask for.
  void prune() const;

  std::filesystem::path directory_;
  v1::Generations stored_;
};

}  // namespace weir::host
