#pragma once

#include <array>
#include <string_view>

namespace weir::host {

/// A function that a plugin has no business with, and why; see the conventions in <weir/abi.h>.
struct ForbiddenImport {
  std::string_view symbol;
  std::string_view why;
};

namespace forbidden {
inline constexpr std::string_view threads = "no thread of a plugin may outlive destroy()";
inline constexpr std::string_view process = "it changes the whole process";
inline constexpr std::string_view ends = "it would end the host";
inline constexpr std::string_view clock = "a resolver reads no clock: use the record's time";
inline constexpr std::string_view chance = "a resolver uses no random numbers";
}  // namespace forbidden

/// atexit() is missing on purpose: it is linked into the plugin as __cxa_atexit, which every C++
/// file with a static object imports.
inline constexpr auto forbidden_imports = std::to_array<ForbiddenImport>({
    {"pthread_create", forbidden::threads},
    {"thrd_create", forbidden::threads},
    {"_ZNSt6thread15_M_start_threadESt10unique_ptrINS_6_StateESt14default_deleteIS1_EEPFvvE",
     forbidden::threads},
    {"fork", forbidden::process},
    {"vfork", forbidden::process},
    {"system", forbidden::process},
    {"popen", forbidden::process},
    {"signal", forbidden::process},
    {"sigaction", forbidden::process},
    {"setlocale", forbidden::process},
    {"_ZNSt6locale6globalERKS_", forbidden::process},
    {"chdir", forbidden::process},
    {"setenv", forbidden::process},
    {"unsetenv", forbidden::process},
    {"putenv", forbidden::process},
    {"umask", forbidden::process},
    {"exit", forbidden::ends},
    {"_exit", forbidden::ends},
    {"quick_exit", forbidden::ends},
    {"time", forbidden::clock},
    {"clock", forbidden::clock},
    {"gettimeofday", forbidden::clock},
    {"clock_gettime", forbidden::clock},
    {"_ZNSt6chrono3_V212system_clock3nowEv", forbidden::clock},
    {"_ZNSt6chrono3_V212steady_clock3nowEv", forbidden::clock},
    {"rand", forbidden::chance},
    {"random", forbidden::chance},
    {"getrandom", forbidden::chance},
    {"getentropy", forbidden::chance},
    {"_ZNSt13random_device9_M_getvalEv", forbidden::chance},
});

}  // namespace weir::host
