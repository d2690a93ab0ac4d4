#include "admin/down_admin.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "admin/admin.hpp"
#include "admin/answer.hpp"

namespace weir::host {

Result<std::unique_ptr<DownAdmin>> DownAdmin::start(Options options, Clock& clock, Logger& logger) {
  if (options.listen.empty()) return std::unique_ptr<DownAdmin>();
  WEIR_TRY(const ListenAddress address, parse_listen_address(options.listen));
  WEIR_TRY(Listener listener, Listener::open(address, options.state));
  std::unique_ptr<DownAdmin> self(new DownAdmin(std::move(options), clock));
  DownAdmin* const raw = self.get();
  WEIR_TRY(self->server_,
           Server::start(
               std::move(listener), {.check_host = !self->options_.allow_remote},
               [raw](std::string_view path) { return answer_of(path, raw->now()); }, logger));
  WEIR_CHECK(write_admin_address(self->options_.state, self->server_->address()));
  return self;
}

DownAdmin::DownAdmin(Options options, Clock& clock)
    : options_(std::move(options)), clock_(clock), started_ms_(clock.steady_ms()) {}

DownAdmin::~DownAdmin() { remove_admin_address(options_.state); }

Moment DownAdmin::now() const {
  Moment moment;
  moment.phase = HostView::Phase::down;
  moment.identity.app = options_.app;
  moment.identity.version = options_.version;
  moment.pid = ::getpid();
  moment.restarts = options_.restarts;
  moment.started_ms = started_ms_;
  moment.wall_ms = clock_.wall_ms();
  moment.steady_ms = clock_.steady_ms();
  moment.down_because =
      fmt::format("{}; the next one starts in {} ms", options_.why,
                  std::max<std::int64_t>(0, options_.next_start_ms - moment.steady_ms));
  return moment;
}

}  // namespace weir::host
