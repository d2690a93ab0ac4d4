#include "reload/generations.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include "commit/files.hpp"
#include "resolve/plugin_bytes.hpp"

namespace weir::host {

namespace {
constexpr const char* history_file = "history";
constexpr int events_max = 1000;
/// Copies of each plugin beside the promoted one.
constexpr std::size_t copies_kept = 4;
using What = v1::GenerationEvent;
}  // namespace

v1::Generation generation_of(const PluginFile& file, const std::filesystem::path& from) {
  v1::Generation out;
  out.set_plugin(file.manifest.plugin);
  out.set_version(file.manifest.version);
  out.set_sha256(file.sha256);
  out.set_build_id(file.build_id);
  out.set_file(from.string());
  return out;
}

Result<Generations> Generations::open(const std::filesystem::path& state) {
  Generations self(state / "plugins");
  const std::filesystem::path path = self.directory_ / history_file;
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return self;
  std::ifstream in(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  if (!in || !self.stored_.ParseFromString(bytes)) {
    return error(Errc::corrupt,
                 "{} cannot be read as the history of the app's plugins; delete it: the next start "
                 "loads the files that the YAML names",
                 path.string());
  }
  return self;
}

std::optional<std::filesystem::path> Generations::promoted_copy(
    const std::filesystem::path& yaml_file) const {
  for (const auto& [plugin, generation] : stored_.promoted()) {
    if (generation.yaml_file() != yaml_file.string()) continue;
    const std::filesystem::path copy = builds() / (generation.sha256() + ".so");
    std::error_code ignored;
    if (std::filesystem::exists(copy, ignored)) return copy;
  }
  return std::nullopt;
}

std::optional<v1::Generation> Generations::before_promoted(const std::string& plugin) const {
  const auto now = stored_.promoted().find(plugin);
  if (now == stored_.promoted().end()) return std::nullopt;
  for (auto event = stored_.events().rbegin(); event != stored_.events().rend(); ++event) {
    if (event->generation().plugin() != plugin ||
        event->generation().sha256() == now->second.sha256()) {
      continue;
    }
    if (event->what() != What::PROMOTED && event->what() != What::STARTED) continue;
    std::error_code ignored;
    if (std::filesystem::exists(builds() / (event->generation().sha256() + ".so"), ignored)) {
      return event->generation();
    }
  }
  return std::nullopt;
}

std::int64_t Generations::last_reload_ms(const std::string& sha256) const {
  for (auto event = stored_.events().rbegin(); event != stored_.events().rend(); ++event) {
    if (event->what() == What::RELOADED && event->generation().sha256() == sha256) {
      return event->at_ms();
    }
  }
  return 0;
}

v1::GenerationEvent& Generations::add(std::int64_t at_ms, v1::GenerationEvent::What what,
                                      const v1::Generation& generation) {
  if (stored_.events_size() >= events_max) {
    stored_.mutable_events()->DeleteSubrange(0, stored_.events_size() - events_max + 1);
  }
  v1::GenerationEvent& event = *stored_.add_events();
  event.set_at_ms(at_ms);
  event.set_what(what);
  *event.mutable_generation() = generation;
  return event;
}

Result<void> Generations::keep(const std::string& sha256, const std::filesystem::path& file) const {
  const std::filesystem::path copy = builds() / (sha256 + ".so");
  std::error_code ignored;
  if (std::filesystem::exists(copy, ignored)) return {};
  WEIR_TRY(const std::string bytes, read_plugin_bytes(file));
  WEIR_CHECK(make_durable_directory(builds()));
  return write_durable_file(copy, bytes);
}

Result<void> Generations::announce(const v1::Generation& generation) {
  (*stored_.mutable_in_probation())[generation.plugin()] = generation;
  return write();
}

Result<void> Generations::withdraw(const std::string& plugin, const v1::Generation* in_probation) {
  stored_.mutable_in_probation()->erase(plugin);
  if (in_probation != nullptr) (*stored_.mutable_in_probation())[plugin] = *in_probation;
  return write();
}

Result<void> Generations::started(std::int64_t at_ms, const v1::Generation& generation) {
  add(at_ms, What::STARTED, generation);
  (*stored_.mutable_promoted())[generation.plugin()] = generation;
  stored_.mutable_in_probation()->erase(generation.plugin());
  return write();
}

Result<void> Generations::reloaded(std::int64_t at_ms, const v1::Generation& generation,
                                   const v1::Generation& before) {
  *add(at_ms, What::RELOADED, generation).mutable_before() = before;
  (*stored_.mutable_in_probation())[generation.plugin()] = generation;
  return write();
}

Result<void> Generations::promoted(std::int64_t at_ms, const v1::Generation& generation) {
  add(at_ms, What::PROMOTED, generation);
  (*stored_.mutable_promoted())[generation.plugin()] = generation;
  stored_.mutable_in_probation()->erase(generation.plugin());
  return write();
}

Result<void> Generations::rolled_back(std::int64_t at_ms, const v1::Generation& to,
                                      const v1::Generation& from, ReloadCode code,
                                      const std::string& text, const std::string& crash) {
  v1::GenerationEvent& event = add(at_ms, What::ROLLED_BACK, to);
  *event.mutable_before() = from;
  event.set_code(std::string(name_of(code)));
  event.set_text(text);
  event.set_crash(crash);
  (*stored_.mutable_promoted())[to.plugin()] = to;
  stored_.mutable_in_probation()->erase(to.plugin());
  return write();
}

Result<void> Generations::refused(std::int64_t at_ms, const v1::Generation& generation,
                                  const Refusal& refusal) {
  v1::GenerationEvent& event = add(at_ms, What::REFUSED, generation);
  event.set_step(std::string(name_of(refusal.step)));
  event.set_code(std::string(name_of(refusal.code)));
  event.set_text(refusal.text);
  return write();
}

Result<void> Generations::write() {
  WEIR_CHECK(make_durable_directory(directory_));
  WEIR_CHECK(write_durable_file(directory_ / history_file, stored_.SerializeAsString()));
  prune();
  return {};
}

void Generations::prune() const {
  std::set<std::string> kept;
  for (const auto& [plugin, generation] : stored_.promoted()) kept.insert(generation.sha256());
  for (const auto& [plugin, generation] : stored_.in_probation()) kept.insert(generation.sha256());
  std::map<std::string, std::set<std::string>> newest;
  for (auto event = stored_.events().rbegin(); event != stored_.events().rend(); ++event) {
    if (event->what() == What::REFUSED) continue;
    std::set<std::string>& of_plugin = newest[event->generation().plugin()];
    if (of_plugin.size() < copies_kept) of_plugin.insert(event->generation().sha256());
  }
  for (const auto& [plugin, hashes] : newest) kept.insert(hashes.begin(), hashes.end());
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(builds(), ignored)) {
    if (entry.path().extension() != ".so" || kept.contains(entry.path().stem().string())) continue;
    std::filesystem::remove(entry.path(), ignored);
  }
}

}  // namespace weir::host
