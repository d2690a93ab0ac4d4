#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/app_view.hpp"
#include "base/logger.hpp"
#include "config/config.hpp"
#include "log/log.hpp"
#include "reload/reload_app.hpp"
#include "supervise/journal.hpp"
#include "task/worker.hpp"

namespace weir::host {

/// A running app's side of reloads. Everything that it is given outlives it. [control]
class AppReloads final : public ReloadApp {
 public:
  struct Parts {
    const Config& config;
    std::vector<std::shared_ptr<Plugin>>& plugins;
    std::vector<std::unique_ptr<Worker>>& workers;
    AppView& view;
    Logger& logger;
    std::filesystem::path copies;  ///< where plugins are loaded from
    Log& log;
    Journal* journal = nullptr;  ///< null: nobody wants to know
    bool own_threads = true;     ///< false: the one thread that calls this turns the tasks
  };
  explicit AppReloads(Parts parts) : parts_(std::move(parts)) {}

  std::vector<RunningTask> tasks() override;
  const std::vector<std::shared_ptr<Plugin>>& plugins() const override { return parts_.plugins; }
  std::filesystem::path file_of(std::size_t plugin) const override;
  Result<std::string> pin(const std::string& plugin) const override;
  std::vector<Misfit> misfits(const PluginFile& file) override;
  Result<bool> check_schemas(const Task& task, const PluginFile& file,
                             const std::optional<Schemas>& schemas) override;
  Result<void> add_probe_parts(const PluginFile& file, const std::optional<Schemas>& schemas,
                               ProbeRequest& request) override;
  Result<std::shared_ptr<Plugin>> load(const std::filesystem::path& file,
                                       const std::string& name) override;
  Result<TaskBuilds> builds(const Task& task, const std::shared_ptr<Plugin>& plugin) override;
  Result<Registration> registration(const Task& task, const Plugin& plugin) override;
  ProbationFigures figures(const std::string& plugin) override;
  void activated(const std::shared_ptr<Plugin>& plugin) override;
  void show(const std::vector<GenerationView>& generations, std::uint64_t pinned) override;

 private:
  Result<void> add_records(const std::string& source, Decoder& decoder, ProbeRequest& request);

  Parts parts_;
};

}  // namespace weir::host
