// The same code without its faults: another build.
#define MENDED
#include "crasher.cpp"
