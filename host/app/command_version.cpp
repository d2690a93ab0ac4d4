#include "app/command_version.hpp"

#include <google/protobuf/stubs/common.h>
#include <lmdb.h>

#include <weir/abi.h>

namespace weir::host {

ExitCode command_version(OutputFormat format) {
  const std::string abi = fmt::format("{}.{}", WEIR_ABI_MAJOR, WEIR_ABI_MINOR);
  const std::string protobuf = google::protobuf::internal::VersionString(GOOGLE_PROTOBUF_VERSION);
  int major = 0;
  int minor = 0;
  int patch = 0;
  mdb_version(&major, &minor, &patch);
  const std::string lmdb = fmt::format("{}.{}.{}", major, minor, patch);
  if (format == OutputFormat::json) {
    print_line(fmt::format(R"({{"weir":"{}","abi":"{}","protobuf":"{}","lmdb":"{}"}})",
                           WEIR_VERSION, abi, protobuf, lmdb));
  } else {
    print_line(
        fmt::format("weir {} (abi {}, protobuf {}, lmdb {})", WEIR_VERSION, abi, protobuf, lmdb));
  }
  return ExitCode::ok;
}

}  // namespace weir::host
