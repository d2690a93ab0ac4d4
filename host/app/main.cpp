#include <cstdio>
#include <exception>

#include <sodium.h>

#include "app/cli.hpp"
#include "app/exit_code.hpp"

int main(int argc, char** argv) {
  using weir::host::ExitCode;
  try {
    if (sodium_init() < 0) return static_cast<int>(ExitCode::internal);
    return weir::host::run_command_line(argc, argv);
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "weir: internal error: %s\n", failure.what());
    return static_cast<int>(ExitCode::internal);
  }
}
