#include "app/exit_code.hpp"

namespace weir::host {

ExitCode exit_code(Errc code) {
  switch (code) {
    case Errc::usage:
      return ExitCode::usage;
    case Errc::invalid:
    case Errc::corrupt:
      return ExitCode::data;
    case Errc::config:
      return ExitCode::config;
    case Errc::not_found:
    case Errc::unavailable:
      return ExitCode::unavailable;
    case Errc::refused:
      return ExitCode::refused;
    case Errc::io:
    case Errc::full:
      return ExitCode::io;
    case Errc::interrupted:
      return ExitCode::temporary;
    case Errc::internal:
      break;
  }
  return ExitCode::internal;
}

}  // namespace weir::host
