// expect: weir: .migrate<>() needs .state_version(n)
#include <weir/sdk.h>

#include "kitchen.pb.h"

using namespace kitchen;

Count f(const Item&, Tally&);
void m(Tally&, int);

WEIR_PLUGIN("p", "1.0.0", weir::resolver<f>("f").migrate<m>());
