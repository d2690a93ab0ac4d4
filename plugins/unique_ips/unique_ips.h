#pragma once

#include "unique_ips.pb.h"

namespace unique_ips {

UniqueIps count_ips(const Visit& visit, Ips& state);

}  // namespace unique_ips
