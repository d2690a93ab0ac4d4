// expect: weir: a key is text, bytes, an integer or an enum
#include <weir/sdk.h>

#include "kitchen.pb.h"

using namespace kitchen;

Count f(const Item&);
double k(const Item&);

WEIR_PLUGIN("p", "1.0.0", weir::resolver<f>("f").key<k>());
