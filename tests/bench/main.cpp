#include <benchmark/benchmark.h>

// Unlike google-benchmark's own, it takes options that are meant for another bench.
int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
