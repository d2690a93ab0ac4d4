#pragma once

#include <weir/sdk.h>

#include "clicks.pb.h"

namespace clicks {

const Click* pick_click(const UserEvent& event);
std::optional<Login> pick_login(const UserEvent& event, const weir::Record& record);

ClickState no_clicks();
ClickCount count_clicks(const Click& click, ClickState& state, weir::Out<Favourite>& favourites);
LoginSeen see_login(const Login& login);

}  // namespace clicks
