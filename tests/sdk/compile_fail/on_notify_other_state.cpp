// expect: weir: .on_notify<f>() takes the resolver's own State, S&
#include <weir/sdk.h>

#include "kitchen.pb.h"

using namespace kitchen;

Count f(const Item&, Tally&);
void g(Settings&);

WEIR_PLUGIN("p", "1.0.0", weir::resolver<f>("f").on_notify<g>());
