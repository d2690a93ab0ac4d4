// expect: weir: .on_notify<f>() returns what a resolver returns
#include <weir/sdk.h>

#include "kitchen.pb.h"

using namespace kitchen;

Count f(const Item&, Tally&);
int g(Tally&);

WEIR_PLUGIN("p", "1.0.0", weir::resolver<f>("f").on_notify<g>());
