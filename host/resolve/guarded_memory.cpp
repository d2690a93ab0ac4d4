#include "resolve/guarded_memory.hpp"

#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <string>

#include "base/assert.hpp"

namespace weir::host {

namespace {

constexpr std::size_t page = 4096;
constexpr std::size_t pages_max = std::size_t{1} << 18;  // 1 GiB of addresses, hardly of memory

/// Read by the handler of a signal.
enum class Page : std::uint8_t { behind, shown, hidden };
struct Region {
  std::atomic<std::uintptr_t> base{0};
  std::array<std::atomic<Page>, pages_max> pages{};
};
std::array<Region, 4> regions;

std::array<char, 64> nonce_of_answer{};
int answer_descriptor = -1;

Region& region_of(std::uintptr_t base) {
  for (Region& region : regions) {
    if (region.base.load(std::memory_order_relaxed) == base) return region;
  }
  WEIR_ASSERT(false, "more guarded memories at once than there is room for");
  return regions[0];
}

bool was_write(const void* context) {
#if defined(__x86_64__)
  const auto& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
  return (machine.gregs[REG_ERR] & 2) != 0;
#else
  static_cast<void>(context);
  return false;
#endif
}

/// Null: it is no guarded memory.
const char* cause_of(std::uintptr_t address, bool write) {
  for (const Region& region : regions) {
    const std::uintptr_t base = region.base.load(std::memory_order_relaxed);
    if (base == 0 || address < base || address >= base + pages_max * page) continue;
    switch (region.pages[(address - base) / page].load(std::memory_order_relaxed)) {
      case Page::behind:
        return "it went beyond the end of bytes that it was given";
      case Page::shown:
        return "it wrote to bytes that it was given to read";
      case Page::hidden:
        return write ? "it wrote to bytes of an earlier call: keep no pointer beyond a call, copy"
                     : "it read bytes of an earlier call: keep no pointer beyond a call, copy";
    }
  }
  return nullptr;
}

void on_fault(int number, siginfo_t* info, void* context) {
  const char* const cause =
      cause_of(reinterpret_cast<std::uintptr_t>(info->si_addr), was_write(context));
  if (cause != nullptr) {
    std::array<char, 256> line{};
    std::size_t size = 0;
    for (const char* part :
         {static_cast<const char*>(nonce_of_answer.data()), " cause ", cause, "\n"}) {
      for (; *part != '\0' && size < line.size(); ++part) line[size++] = *part;
    }
    if (write(answer_descriptor, line.data(), size) < 0) _exit(1);
  }
  // Back to the same instruction, which ends the process now.
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  sigaction(number, &standard, nullptr);
}

}  // namespace

GuardedMemory::GuardedMemory() {
  void* const memory = mmap(nullptr, pages_max * page, PROT_NONE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  WEIR_ASSERT(memory != MAP_FAILED, "addresses for guarded memory");
  base_ = static_cast<char*>(memory);
  Region& region = region_of(0);
  for (auto& one : region.pages) one.store(Page::behind, std::memory_order_relaxed);
  region.base.store(reinterpret_cast<std::uintptr_t>(base_), std::memory_order_relaxed);
}

GuardedMemory::~GuardedMemory() {
  region_of(reinterpret_cast<std::uintptr_t>(base_)).base.store(0, std::memory_order_relaxed);
  munmap(base_, pages_max * page);
}

std::string_view GuardedMemory::show(std::string_view bytes) {
  if (bytes.data() == nullptr) return {};
  const std::size_t pages = (bytes.size() + page - 1) / page;
  if (used_pages_ + pages + 1 > pages_max) return bytes;
  char* const first = base_ + used_pages_ * page;
  char* const at = first + pages * page - bytes.size();
  if (pages > 0) {
    WEIR_ASSERT(mprotect(first, pages * page, PROT_READ | PROT_WRITE) == 0, "guarded memory");
    std::memcpy(at, bytes.data(), bytes.size());
    WEIR_ASSERT(mprotect(first, pages * page, PROT_READ) == 0, "guarded memory");
  }
  Region& region = region_of(reinterpret_cast<std::uintptr_t>(base_));
  for (std::size_t i = 0; i < pages; ++i) {
    region.pages[used_pages_ + i].store(Page::shown, std::memory_order_relaxed);
  }
  used_pages_ += pages + 1;
  return {at, bytes.size()};
}

void GuardedMemory::hide(std::size_t begin, std::size_t end) {
  if (begin == end) return;
  char* const first = base_ + begin * page;
  WEIR_ASSERT(mprotect(first, (end - begin) * page, PROT_NONE) == 0, "guarded memory");
  madvise(first, (end - begin) * page, MADV_DONTNEED);
  Region& region = region_of(reinterpret_cast<std::uintptr_t>(base_));
  for (std::size_t i = begin; i < end; ++i) {
    Page shown = Page::shown;
    region.pages[i].compare_exchange_strong(shown, Page::hidden, std::memory_order_relaxed);
  }
}

void explain_faults(int descriptor, std::string_view nonce) {
  answer_descriptor = descriptor;
  nonce.copy(nonce_of_answer.data(), nonce_of_answer.size() - 1);
  struct sigaction action {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigaction(SIGSEGV, &action, nullptr);
}

}  // namespace weir::host
