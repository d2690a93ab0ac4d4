// clicks.cpp: a topic with several kinds of events, and two resolvers that take one kind each.
#include "clicks.h"

namespace clicks {

// [parse]
// Runs before the resolver. Nothing (nullptr) means: not for this resolver.
const Click* pick_click(const UserEvent& event) {
  return event.has_click() ? &event.click() : nullptr;
}

// May look at the record too, here at a header, and may make a message of its own.
std::optional<Login> pick_login(const UserEvent& event, const weir::Record& record) {
  if (!event.has_login() || record.header("origin") == "load-test") return std::nullopt;
  return event.login();
}
// [parse]

// [resolver]
ClickState no_clicks() {
  ClickState state;
  state.set_favourite_from(3);
  return state;
}

// The returned feature is the first output; each Out is one more.
ClickCount count_clicks(const Click& click, ClickState& state, weir::Out<Favourite>& favourites) {
  state.set_clicks(state.clicks() + 1);
  const std::int64_t on_page = ++(*state.mutable_by_page())[click.page()];
  if (on_page == state.favourite_from()) {
    Favourite favourite;
    favourite.set_user_id(click.user_id());
    favourite.set_page(click.page());
    favourites.emit(favourite);
  }
  ClickCount count;
  count.set_user_id(click.user_id());
  count.set_clicks(state.clicks());
  return count;
}
// [resolver]

LoginSeen see_login(const Login& login) {
  LoginSeen seen;
  seen.set_user_id(login.user_id());
  return seen;
}

// [plugin]
WEIR_PLUGIN("clicks", "1.0.0",
            weir::resolver<count_clicks>("count_clicks")
                .parse<pick_click>()
                .key<&Click::user_id>()
                .initial<no_clicks>()
                .outputs("counts", "favourites"),
            weir::resolver<see_login>("see_login")
                .parse<pick_login>()
                .key<&Login::user_id>()
                .outputs("logins"));
// [plugin]

}  // namespace clicks
