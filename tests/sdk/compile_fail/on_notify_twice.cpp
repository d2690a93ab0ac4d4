// expect: weir: .on_notify<>() is said twice
#include <weir/sdk.h>

#include "kitchen.pb.h"

using namespace kitchen;

Count f(const Item&, Tally&);
void g(Tally&);

WEIR_PLUGIN("p", "1.0.0", weir::resolver<f>("f").on_notify<g>().on_notify<g>());
