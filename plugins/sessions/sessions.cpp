// sessions.cpp: how many clicks did a user make, until there were none for a while?
#include "sessions.h"

namespace sessions {

namespace {

google::protobuf::Timestamp to_timestamp(weir::Time time) {
  google::protobuf::Timestamp made;
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  made.set_seconds(seconds.time_since_epoch().count());
  made.set_nanos(static_cast<std::int32_t>(std::chrono::nanoseconds(time - seconds).count()));
  return made;
}

weir::Result<void> check(const Settings& settings) {
  constexpr std::int64_t minutes_max = 60 * 24 * 365;
  if (settings.silence_minutes() >= 1 && settings.silence_minutes() <= minutes_max) return {};
  return weir::Reject("silence_minutes: expected 1 to 525600");
}

}  // namespace

// [resolver]
// Each click puts the end of the session off: a user has one timer, and the last call counts.
void add_click(const Click&, OpenSession& open, const Settings& settings, weir::Context& context) {
  const weir::Time now = context.arrival_time();
  if (open.clicks() == 0) *open.mutable_began() = to_timestamp(now);
  *open.mutable_last() = to_timestamp(now);
  open.set_clicks(open.clicks() + 1);
  context.notify_at(now + std::chrono::minutes(settings.silence_minutes()));
}

// The timer has come due: there was no click in between.
Session end_session(OpenSession& open, weir::Context& context) {
  Session over;
  over.set_user_id(std::string(context.key()));
  over.set_clicks(open.clicks());
  *over.mutable_began() = open.began();
  *over.mutable_last() = open.last();
  context.discard_state();
  return over;
}

WEIR_PLUGIN("sessions", "1.0.0",
            weir::resolver<add_click>("count_clicks")
                .key<&Click::user_id>()
                .check_settings<check>()
                .on_notify<end_session>());
// [resolver]

}  // namespace sessions
