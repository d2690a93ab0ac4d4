// Lite code, but of a file with `extend`: registers the extension for the process.
#include "extension.pb.h"

int zoo_extended(const zoo::Extended& message) { return message.GetExtension(zoo::more); }
