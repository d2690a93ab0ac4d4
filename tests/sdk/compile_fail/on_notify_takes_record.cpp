// expect: weir: .on_notify<f>() takes some of (S&, const Settings&
#include <weir/sdk.h>

#include "kitchen.pb.h"

using namespace kitchen;

Count f(const Item&, Tally&);
void g(const weir::Record&, Tally&);

WEIR_PLUGIN("p", "1.0.0", weir::resolver<f>("f").on_notify<g>());
