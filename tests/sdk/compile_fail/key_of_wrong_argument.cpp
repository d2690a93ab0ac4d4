// expect: weir: .key<f>() takes a field of the resolver's message
#include <weir/sdk.h>

#include "kitchen.pb.h"

using namespace kitchen;

Count f(const Item&);
std::string k(const Tally&);

WEIR_PLUGIN("p", "1.0.0", weir::resolver<f>("f").key<k>());
