#include <string>
#include <vector>

#include "resolve/plugin_check.hpp"

int main(int count, char** arguments) {
  return weir::host::run_check_child(std::vector<std::string>(arguments + 1, arguments + count));
}
