// Throws out of state_save(), which is not noexcept.
#include <stdexcept>

#include <weir/abi.h>

extern "C" weir_status zoo_slot(weir_instance*, const weir_state*, weir_bytes*, weir_call*) {
  throw std::runtime_error("thrown by state_save");
}
