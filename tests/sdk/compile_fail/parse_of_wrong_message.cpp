// expect: weir: .parse<f>() gives the resolver's message
#include <weir/sdk.h>

#include "kitchen.pb.h"

using namespace kitchen;

Count f(const Item&);
std::optional<Count> p(const weir::Record&);

WEIR_PLUGIN("p", "1.0.0", weir::resolver<f>("f").parse<p>());
