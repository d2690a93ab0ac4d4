// Throws out of a slot that is not noexcept: the exception would unwind the host.
#include <stdexcept>

#include <weir/abi.h>

extern "C" weir_status zoo_slot(weir_instance*, const weir_message*, weir_state*, weir_call*) {
  throw std::runtime_error("thrown by resolve");
}
