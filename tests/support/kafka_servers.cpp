#include "support/kafka_servers.hpp"

#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace weir::test {

std::string kafka_servers() {
  if (const char* named = std::getenv("WEIR_KAFKA"); named != nullptr && *named != '\0')
    return named;
  const char* path = std::getenv("WEIR_KAFKA_FILE");
  if (path == nullptr) {
    throw std::runtime_error(
        "this test needs a real Kafka: run it through ctest, or set WEIR_KAFKA to what "
        "`./dev kafka start` prints");
  }
  std::string line;
  if (!std::getline(std::ifstream(path), line) || line.empty()) {
    throw std::runtime_error(std::string("no Kafka runs: ") + path + " names no bootstrap servers");
  }
  return line;
}

}  // namespace weir::test
