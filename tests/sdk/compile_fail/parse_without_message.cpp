// expect: weir: .parse<f>() makes a message
#include <weir/sdk.h>

#include "kitchen.pb.h"

using namespace kitchen;

Count f(std::string_view);
std::optional<Item> p(const weir::Record&);

WEIR_PLUGIN("p", "1.0.0", weir::resolver<f>("f").parse<p>());
