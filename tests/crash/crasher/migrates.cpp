// The same code with a State of the next version: another build.
#define MIGRATES
#include "crasher.cpp"
