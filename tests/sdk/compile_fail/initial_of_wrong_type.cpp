// expect: weir: .initial<f>() takes S f() or S f(const Settings&)
#include <weir/sdk.h>

#include "kitchen.pb.h"

using namespace kitchen;

Count f(const Item&, Tally&);
Count make();

WEIR_PLUGIN("p", "1.0.0", weir::resolver<f>("f").initial<make>());
