#include "supervise/crash_handler.hpp"

#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <ctime>

namespace weir::host {

namespace {

std::atomic<Journal*> installed{nullptr};

constexpr timespec grace{2, 0};

std::int32_t this_thread() { return static_cast<std::int32_t>(::syscall(SYS_gettid)); }

std::int64_t wall_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

// The first thread that ends the process has the mark.
bool take(CrashMark& mark) {
  std::uint32_t none = 0;
  return mark.taken.compare_exchange_strong(none, 1);
}

void copy_line(Journal& journal, CrashMark& mark, std::int32_t line) {
  mark.line = line;
  if (line < 0) return;
  const JournalLine& from = journal.lines()[line];
  const char* const key = from.key.load(std::memory_order_relaxed);
  const std::size_t size = from.key_size.load(std::memory_order_relaxed);
  if (key == nullptr || size > mark.key.size()) return;
  // The plugin may have made a ruin of what it points to: the kernel looks, not we.
  const iovec local{mark.key.data(), size};
  const iovec remote{const_cast<char*>(key), size};
  if (::process_vm_readv(::getpid(), &local, 1, &remote, 1, 0) == static_cast<ssize_t>(size)) {
    mark.key_size = static_cast<std::uint32_t>(size);
  }
}

#ifndef WEIR_SANITIZED

struct Place {
  std::uint64_t instruction = 0;
  std::uint64_t stack = 0;
};

Place place_of(const void* context) {
  const auto& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  return {static_cast<std::uint64_t>(machine.gregs[REG_RIP]),
          static_cast<std::uint64_t>(machine.gregs[REG_RSP])};
#elif defined(__aarch64__)
  return {machine.pc, machine.sp};
#else
  return {};
#endif
}

// What lies on the stack and points into a plugin: most of it are the calls that led here. Without
// unwinding, which may take locks.
void note_returns(const Journal& journal, CrashMark& mark, std::uint64_t stack) {
  constexpr std::size_t words = 64;
  constexpr int chunks_max = 64;
  std::array<std::uint64_t, words> chunk{};
  for (int i = 0; i < chunks_max; ++i, stack += sizeof(chunk)) {
    const iovec local{chunk.data(), sizeof(chunk)};
    const iovec remote{reinterpret_cast<void*>(stack), sizeof(chunk)};
    const ssize_t got = ::process_vm_readv(::getpid(), &local, 1, &remote, 1, 0);
    if (got <= 0) return;
    for (std::size_t word = 0; word < static_cast<std::size_t>(got) / 8; ++word) {
      if (!journal.is_in_plugin(chunk[word])) continue;
      mark.returns[mark.return_count++] = chunk[word];
      if (mark.return_count == mark.returns.size()) return;
    }
  }
}

constexpr std::array fatal_signals{SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};

void on_fatal_signal(int signal, siginfo_t* info, void* context) {
  std::signal(signal, SIG_DFL);
  Journal* const journal = installed.load();
  const std::int32_t thread = this_thread();
  if (journal->owner() != ::getpid()) {  // a process that a plugin has forked
    if (info->si_code <= 0) ::syscall(SYS_tgkill, ::getpid(), thread, signal);
    return;
  }
  CrashMark& mark = journal->mark();
  const bool mine = take(mark);
  const bool hung = mark.kind == CrashKind::watchdog && mark.thread == thread;
  if (mine) {
    mark.kind = CrashKind::signal;
    mark.time_ms = wall_ms();
    mark.thread = thread;
    mark.signal = signal;
    mark.signal_code = info->si_code;
    if (info->si_code <= 0) {
      mark.sender = info->si_pid;
    } else {
      mark.address = reinterpret_cast<std::uint64_t>(info->si_addr);
    }
    mark.line = journal->line_in_call(thread);
  }
  if (mine || hung) {
    const Place place = place_of(context);
    mark.instruction = place.instruction;
    note_returns(*journal, mark, place.stack);
    if (mine) copy_line(*journal, mark, mark.line);
    mark.taken = 2;
  } else {
    // Another thread is at it, or was: what it writes must not be cut off.
    for (int i = 0; i < 100 && mark.taken != 2; ++i) {
      const timespec pause{0, 1'000'000};
      ::nanosleep(&pause, nullptr);
    }
  }
  // A fault happens again where it happened, with its own core; what was sent is sent again.
  if (info->si_code <= 0) ::syscall(SYS_tgkill, ::getpid(), thread, signal);
}

#endif

}  // namespace

void install_crash_handler(Journal& journal) {
  journal.set_owner(::getpid());
  installed = &journal;
#ifndef WEIR_SANITIZED
  struct sigaction action {};
  action.sa_sigaction = on_fatal_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  for (const int signal : fatal_signals) ::sigaction(signal, &action, nullptr);
#endif
}

bool note_exit(int code) {
  Journal* const journal = installed.load();
  if (journal == nullptr || journal->owner() != ::getpid()) return false;  // a child of ours
  const std::int32_t thread = this_thread();
  const std::int32_t line = journal->line_in_call(thread);
  if (line < 0) return false;
  CrashMark& mark = journal->mark();
  if (!take(mark)) return true;
  mark.kind = CrashKind::exit;
  mark.time_ms = wall_ms();
  mark.thread = thread;
  mark.exit_code = code;
  copy_line(*journal, mark, line);
  mark.taken = 2;
  return true;
}

void end_hung_call(std::size_t line) {
  Journal* const journal = installed.load();
  CrashMark& mark = journal->mark();
  if (take(mark)) {
    mark.kind = CrashKind::watchdog;
    mark.signal = SIGABRT;
    mark.time_ms = wall_ms();
    mark.thread = journal->lines()[line].thread.load(std::memory_order_relaxed);
    copy_line(*journal, mark, static_cast<std::int32_t>(line));
    ::syscall(SYS_tgkill, ::getpid(), mark.thread, SIGABRT);
  }
  ::nanosleep(&grace, nullptr);
  ::kill(::getpid(), SIGKILL);
  while (true) ::pause();
}

}  // namespace weir::host
