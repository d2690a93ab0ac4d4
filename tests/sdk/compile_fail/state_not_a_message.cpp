// expect: weir: a resolver takes (const M&, S&, const Settings&
#include <weir/sdk.h>

#include "kitchen.pb.h"

using namespace kitchen;

struct Mine {};
Count f(const Item&, Mine& state);

WEIR_PLUGIN("p", "1.0.0", weir::resolver<f>("f"));
