#include "admin/admin.hpp"

#include <fstream>

#include <fmt/ranges.h>

#include "admin/metrics.hpp"
#include "admin/status.hpp"

namespace weir::host {

namespace {

constexpr const char* plain_text = "text/plain; charset=utf-8";
/// In the state directory; one line, as admin.listen is written, with the port that was chosen.
constexpr const char* address_file = "admin.address";

HttpAnswer lines(const std::vector<std::string>& problems, const char* good) {
  if (problems.empty()) return {200, plain_text, fmt::format("{}\n", good)};
  return {503, plain_text, fmt::format("{}\n", fmt::join(problems, "\n"))};
}

Result<void> write_address(const std::filesystem::path& state, const ListenAddress& address) {
  const std::filesystem::path path = state / address_file;
  const std::filesystem::path next = state / (std::string(address_file) + ".next");
  std::ofstream out(next, std::ios::trunc);
  out << address.text() << '\n';
  out.close();
  std::error_code failed;
  if (out) std::filesystem::rename(next, path, failed);
  if (!out || failed) return error(Errc::io, "cannot write {}", path.string());
  return {};
}

}  // namespace

Result<std::unique_ptr<Admin>> Admin::start(Options options, Ports ports) {
  WEIR_TRY(Listener listener, Listener::open(options.listen, options.state));
  std::unique_ptr<Admin> self(new Admin(std::move(options), ports));
  Admin* const raw = self.get();
  WEIR_TRY(self->server_,
           Server::start(
               std::move(listener), {.check_host = !self->options_.allow_remote},
               [raw](std::string_view path) { return raw->answer(path); }, ports.logger));
  WEIR_CHECK(write_address(self->options_.state, self->address()));
  self->watch_.start();
  ports.logger.info("admin", "metrics, probes and status at {}", self->address().text());
  return self;
}

Admin::Admin(Options options, Ports ports)
    : options_(std::move(options)),
      ports_(ports),
      started_ms_(ports.clock.steady_ms()),
      watch_(ports.log, ports.host, ports.clock) {}

Admin::~Admin() {
  std::error_code ignored;
  std::filesystem::remove(options_.state / address_file, ignored);
}

Moment Admin::now() const {
  Moment moment;
  moment.phase = ports_.host.phase();
  if (moment.phase != HostView::Phase::opening) {
    moment.identity = ports_.host.identity();
    moment.tasks = ports_.host.tasks();
    moment.workers = ports_.host.workers();
  }
  moment.log = watch_.report();
  moment.started_ms = started_ms_;
  moment.stuck_after_ms = options_.stuck_after_ms;
  moment.wall_ms = ports_.clock.wall_ms();
  moment.steady_ms = ports_.clock.steady_ms();  // after everything that it is compared with
  return moment;
}

HttpAnswer Admin::answer(std::string_view path) const {
  if (path == "/livez") return lines(death_signs(now()), "alive");
  if (path == "/readyz") return lines(unready_reasons(now()), "ready");
  if (path == "/metrics") {
    return {200, "text/plain; version=0.0.4; charset=utf-8", metrics_text(now())};
  }
  if (path == "/status") return {200, "application/json", status_json(now())};
  return {404, plain_text,
          "there is:\n"
          "/livez    200 while the workers turn\n"
          "/readyz   200 while all of the work is done, else 503 and why not\n"
          "/metrics  for Prometheus\n"
          "/status   everything as JSON, as `weir status` shows it\n"};
}

Result<std::optional<ListenAddress>> read_admin_address(const std::filesystem::path& state) {
  std::string line;
  std::ifstream in(state / address_file);
  if (!in || !std::getline(in, line)) return std::optional<ListenAddress>{};
  WEIR_TRY(ListenAddress address, parse_listen_address(line));
  return std::optional(std::move(address));
}

}  // namespace weir::host
