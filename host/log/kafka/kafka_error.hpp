#pragma once

#include <string_view>

#include <librdkafka/rdkafka.h>

#include "base/result.hpp"

namespace weir::host {

/// What librdkafka or a broker said, as an error of ours: `what` failed, why, what to do.
Error kafka_error(rd_kafka_resp_err_t code, std::string_view what, std::string_view detail = {});

/// The security properties and the broker's do not fit together.
bool is_kept_out(rd_kafka_resp_err_t code);

/// A newer producer of the same id, or a newer member of the same name, has taken over.
bool is_fenced(rd_kafka_resp_err_t code);

/// The member's session or generation is over and the group will give it another one.
bool is_membership_lost(rd_kafka_resp_err_t code);

/// It goes away by itself: a broker does not answer, a leader or coordinator moves.
bool is_transient(rd_kafka_resp_err_t code);

}  // namespace weir::host
