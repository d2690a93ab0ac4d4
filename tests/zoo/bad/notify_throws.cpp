// Throws out of notify(), which is not noexcept.
#include <stdexcept>

#include <weir/abi.h>

extern "C" weir_status zoo_slot(weir_instance*, std::int32_t, weir_state*, weir_call*) {
  throw std::runtime_error("thrown by notify");
}
