// A static constructor throws: dlopen() ends the process.
#include <stdexcept>

struct Throws {
  Throws() { throw std::runtime_error("thrown by a static constructor"); }
};
static const Throws throws;
