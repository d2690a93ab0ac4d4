#include "task/counters.hpp"

namespace weir::host {

Counters& Counters::operator+=(const Counters& other) {
  records += other.records;
  resolved += other.resolved;
  skipped += other.skipped;
  features += other.features;
  dead_letters += other.dead_letters;
  retries += other.retries;
  returned += other.returned;
  fired += other.fired;
  for (std::size_t i = 0; i < set_aside.size(); ++i) set_aside[i] += other.set_aside[i];
  commits += other.commits;
  return *this;
}

}  // namespace weir::host
