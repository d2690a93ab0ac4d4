#include "task/counters.hpp"

namespace weir::host {

Outcomes& Outcomes::operator+=(const Outcomes& other) {
  resolved += other.resolved;
  skipped += other.skipped;
  features += other.features;
  dead_letters += other.dead_letters;
  returned += other.returned;
  fired += other.fired;
  for (std::size_t i = 0; i < set_aside.size(); ++i) set_aside[i] += other.set_aside[i];
  return *this;
}

Counters& Counters::operator+=(const Counters& other) {
  Outcomes::operator+=(other);
  records += other.records;
  retries += other.retries;
  commits += other.commits;
  return *this;
}

}  // namespace weir::host
