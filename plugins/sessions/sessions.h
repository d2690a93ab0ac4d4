#pragma once

#include <weir/sdk.h>

#include "sessions.pb.h"

namespace sessions {

void add_click(const Click& click, OpenSession& open, const Settings& settings,
               weir::Context& context);
Session end_session(OpenSession& open, weir::Context& context);

}  // namespace sessions
