#include "admin/process_figures.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace weir::host {

namespace {

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

void add_process(Exposition& out) {
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0) {
    out.counter("process_cpu_seconds_total", "Processor time of the process", {},
                seconds(usage.ru_utime) + seconds(usage.ru_stime));
  }
  double all_pages = 0;
  double resident_pages = 0;
  if (std::ifstream("/proc/self/statm") >> all_pages >> resident_pages) {
    const auto page_bytes = static_cast<double>(sysconf(_SC_PAGESIZE));
    out.gauge("process_virtual_memory_bytes",
              "Address space of the process, most of it LMDB's maps", {}, all_pages * page_bytes);
    out.gauge("process_resident_memory_bytes",
              "Memory of the process, with what it has touched of LMDB's files", {},
              resident_pages * page_bytes);
  }
  std::error_code failed;
  double descriptors = 0;
  std::filesystem::directory_iterator at("/proc/self/fd", failed);
  for (; !failed && at != std::filesystem::directory_iterator(); at.increment(failed))
    ++descriptors;
  if (!failed) out.gauge("process_open_fds", "Open descriptors", {}, descriptors);
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    out.gauge("process_max_fds", "How many descriptors can be open", {},
              static_cast<double>(limit.rlim_cur));
  }
}

}  // namespace weir::host
