#pragma once

#include "admin/exposition.hpp"

namespace weir::host {

/// What every Prometheus client says of its process, under the names that they all use. A figure
/// that the system does not tell is left out.
void add_process(Exposition& out);

}  // namespace weir::host
