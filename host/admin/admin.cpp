#include "admin/admin.hpp"

#include <fstream>

#include "admin/answer.hpp"

namespace weir::host {

namespace {

/// In the state directory; one line, as admin.listen is written, with the port that was chosen.
constexpr const char* address_file = "admin.address";

}  // namespace

Result<std::unique_ptr<Admin>> Admin::start(Options options, Ports ports) {
  WEIR_TRY(Listener listener, Listener::open(options.listen, options.state));
  std::unique_ptr<Admin> self(new Admin(std::move(options), ports));
  Admin* const raw = self.get();
  WEIR_TRY(self->server_,
           Server::start(
               std::move(listener), {.check_host = !self->options_.allow_remote},
               [raw](std::string_view path) { return answer_of(path, raw->now()); }, ports.logger));
  WEIR_CHECK(write_admin_address(self->options_.state, self->address()));
  self->watch_.start();
  ports.logger.info("admin", "metrics, probes and status at {}", self->address().text());
  return self;
}

Admin::Admin(Options options, Ports ports)
    : options_(std::move(options)),
      ports_(ports),
      started_ms_(ports.clock.steady_ms()),
      watch_(ports.log, ports.host, ports.clock) {}

Admin::~Admin() { remove_admin_address(options_.state); }

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
  moment.pid = options_.pid;
  moment.restarts = options_.restarts;
  moment.wall_ms = ports_.clock.wall_ms();
  moment.steady_ms = ports_.clock.steady_ms();  // after everything that it is compared with
  return moment;
}

Result<void> write_admin_address(const std::filesystem::path& state, const ListenAddress& address) {
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

void remove_admin_address(const std::filesystem::path& state) {
  std::error_code ignored;
  std::filesystem::remove(state / address_file, ignored);
}

Result<std::optional<ListenAddress>> read_admin_address(const std::filesystem::path& state) {
  std::string line;
  std::ifstream in(state / address_file);
  if (!in || !std::getline(in, line)) return std::optional<ListenAddress>{};
  WEIR_TRY(ListenAddress address, parse_listen_address(line));
  return std::optional(std::move(address));
}

}  // namespace weir::host
