// expect: nothing
#include <weir/sdk.h>

#include "kitchen.pb.h"

using namespace kitchen;

Count f(const Item&, Tally&, const Settings&, weir::Out<Tally>&, weir::Context&);

WEIR_PLUGIN("p", "1.0.0",
            weir::resolver<f>("f").key<&Item::user>().outputs("one", "two").state_version(2));
