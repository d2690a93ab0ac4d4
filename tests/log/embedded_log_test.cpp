#include "log/embedded_log.hpp"

#include <doctest/doctest.h>

#include "log/contract.hpp"
#include "support/temp_dir.hpp"

namespace weir::host {
namespace {

using test::ok;

class EmbeddedFactory final : public test::LogFactory {
 public:
  std::unique_ptr<Log> open() override {
    return ok(EmbeddedLog::open({.directory = directory_.path(), .sync = false}));
  }

 private:
  test::TempDir directory_;
};

}  // namespace

TEST_CASE("embedded log: keeps the contract") {
  EmbeddedFactory factory;
  test::run_log_contract(factory);
}

}  // namespace weir::host
