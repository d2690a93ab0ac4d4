// Would free what the host's own Protobuf still uses.
#include <google/protobuf/stubs/common.h>

struct ShutDown {
  ~ShutDown() { google::protobuf::ShutdownProtobufLibrary(); }
};
static const ShutDown shut_down;
