// Throws out of batch_free(), which is not noexcept.
#include <stdexcept>

#include <weir/abi.h>

extern "C" void zoo_slot(weir_instance*, weir_batch*) {
  throw std::runtime_error("thrown by batch_free");
}
