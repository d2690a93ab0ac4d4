#pragma once

#include <string>

namespace weir::host {

struct HttpAnswer {
  int status = 200;
  std::string content_type;
  std::string body;
};

}  // namespace weir::host
