// Compiled without -fvisibility=hidden and -fno-gnu-unique: a static of an inline function is one
// object for the whole process.
inline int& counter() {
  static int count = 0;
  return count;
}

int zoo_count() { return ++counter(); }
