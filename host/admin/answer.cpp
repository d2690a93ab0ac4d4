#include "admin/answer.hpp"

#include <fmt/ranges.h>

#include "admin/metrics.hpp"
#include "admin/status.hpp"

namespace weir::host {

namespace {

constexpr const char* plain_text = "text/plain; charset=utf-8";

HttpAnswer lines(const std::vector<std::string>& problems, const char* good) {
  if (problems.empty()) return {200, plain_text, fmt::format("{}\n", good)};
  return {503, plain_text, fmt::format("{}\n", fmt::join(problems, "\n"))};
}

}  // namespace

HttpAnswer answer_of(std::string_view path, const Moment& moment) {
  if (path == "/livez") return lines(death_signs(moment), "alive");
  if (path == "/readyz") return lines(unready_reasons(moment), "ready");
  if (path == "/metrics") {
    return {200, "text/plain; version=0.0.4; charset=utf-8", metrics_text(moment)};
  }
  if (path == "/status") return {200, "application/json", status_json(moment)};
  return {404, plain_text,
          "there is:\n"
          "/livez    200 while the workers turn\n"
          "/readyz   200 while all of the work is done, else 503 and why not\n"
          "/metrics  for Prometheus\n"
          "/status   everything as JSON, as `weir status` shows it\n"};
}

}  // namespace weir::host
