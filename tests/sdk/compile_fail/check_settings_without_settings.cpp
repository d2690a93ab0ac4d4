// expect: weir: .check_settings<>() is for resolvers with settings
#include <weir/sdk.h>

#include "kitchen.pb.h"

using namespace kitchen;

Count f(const Item&);
void c(const Settings&);

WEIR_PLUGIN("p", "1.0.0", weir::resolver<f>("f").check_settings<c>());
