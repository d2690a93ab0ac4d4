#include "supervise/journal.hpp"

#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace weir::host {

namespace {

constexpr std::uint64_t magic = 0x57454952'4a524e01;  // ends with the layout's version

template <std::size_t size>
void put(std::array<char, size>& to, std::string_view text) {
  to.fill('\0');
  std::copy_n(text.begin(), std::min(text.size(), size - 1), to.begin());
}

template <std::size_t size>
std::string get(const std::array<char, size>& from) {
  return {from.data(), strnlen(from.data(), size)};
}

struct SharedGeneration {
  // Written last, so that whoever finds them finds the rest.
  std::atomic<std::uint64_t> begin;
  std::atomic<std::uint64_t> end;
  std::array<char, 128> plugin;
  std::array<char, 64> version;
  std::array<char, 72> sha256;
  std::array<char, 72> build_id;
  bool used;
};

struct SharedNames {
  std::array<char, 320> task;
  std::array<char, 256> topic;
  std::int32_t partition;
};

struct Search {
  const std::string& path;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

int find_mapping(dl_phdr_info* info, std::size_t, void* data) {
  auto& search = *static_cast<Search*>(data);
  if (search.path != info->dlpi_name) return 0;
  search.begin = info->dlpi_addr;
  search.end = info->dlpi_addr;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& segment = info->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD) continue;
    search.end = std::max(search.end, info->dlpi_addr + segment.p_vaddr + segment.p_memsz);
  }
  return 1;
}

}  // namespace

struct Journal::Shared {
  std::uint64_t magic_word;
  std::int64_t owner;
  std::atomic<std::uint32_t> line_count;
  std::atomic<std::uint32_t> resolver_count;
  CrashMark mark;
  std::array<SharedGeneration, generations_max> generations;   // the first is nobody's
  std::array<std::array<char, 128>, resolvers_max> resolvers;  // the first is nobody's
  std::array<JournalLine, lines_max> lines;
  std::array<SharedNames, lines_max> names;
};

Result<std::unique_ptr<Journal>> Journal::make_shared_memory() {
  const int fd = ::memfd_create("weir-journal", MFD_CLOEXEC);
  if (fd < 0 || ::ftruncate(fd, sizeof(Shared)) != 0) {
    const int failed = errno;
    if (fd >= 0) ::close(fd);
    return error(Errc::io, "cannot make memory for the journal: {}", std::strerror(failed));
  }
  WEIR_TRY(auto journal, map(fd));
  journal->clear();
  return journal;
}

Result<std::unique_ptr<Journal>> Journal::make_file(const std::filesystem::path& path) {
  const std::filesystem::path next = path.string() + ".next";
  const int fd = ::open(next.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0 || ::ftruncate(fd, sizeof(Shared)) != 0 || ::rename(next.c_str(), path.c_str()) != 0) {
    const int failed = errno;
    if (fd >= 0) ::close(fd);
    return error(Errc::io, "cannot make the journal {}: {}", path.string(), std::strerror(failed));
  }
  WEIR_TRY(auto journal, map(fd));
  journal->clear();
  return journal;
}

Result<std::unique_ptr<Journal>> Journal::inherit(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0 || info.st_size != sizeof(Shared)) {
    return error(Errc::invalid, "this is no journal of this version of `weir`");
  }
  ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  WEIR_TRY(auto journal, map(fd));
  if (journal->shared_->magic_word != magic) {
    return error(Errc::invalid, "this is no journal of this version of `weir`");
  }
  return journal;
}

Result<std::unique_ptr<Journal>> Journal::map(int fd) {
  void* const at = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) {
    const int failed = errno;
    ::close(fd);
    return error(Errc::io, "cannot map the journal: {}", std::strerror(failed));
  }
  return std::unique_ptr<Journal>(new Journal(fd, static_cast<Shared*>(at)));
}

Journal::~Journal() {
  ::munmap(shared_, sizeof(Shared));
  ::close(fd_);
}

void Journal::clear() {
  const std::size_t lines = shared_->line_count;
  shared_->magic_word = magic;
  shared_->owner = 0;
  shared_->line_count = 1;
  shared_->resolver_count = 1;
  shared_->mark.~CrashMark();
  new (&shared_->mark) CrashMark;
  for (SharedGeneration& one : shared_->generations) {
    one.begin = 0;
    one.end = 0;
    one.used = false;
  }
  for (std::size_t i = 0; i < std::max<std::size_t>(lines, 1); ++i) {
    new (&shared_->lines[i]) JournalLine;
  }
  put(shared_->names[0].task, "");
  put(shared_->names[0].topic, "");
  shared_->names[0].partition = -1;
}

void Journal::set_owner(std::int64_t pid) { shared_->owner = pid; }
void Journal::set_control_subject(std::string_view text) { put(shared_->names[0].task, text); }

JournalLine* Journal::add_task(std::string_view task, std::string_view topic,
                               std::int32_t partition) {
  const std::lock_guard lock(mutex_);
  const std::uint32_t number = shared_->line_count;
  if (number == lines_max) return nullptr;
  SharedNames& names = shared_->names[number];
  put(names.task, task);
  put(names.topic, topic);
  names.partition = partition;
  shared_->line_count = number + 1;
  return &shared_->lines[number];
}

std::uint16_t Journal::add_resolver(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const std::uint32_t count = shared_->resolver_count;
  for (std::uint32_t i = 1; i < count; ++i) {
    if (get(shared_->resolvers[i]) == name) return static_cast<std::uint16_t>(i);
  }
  if (count == resolvers_max) return 0;
  put(shared_->resolvers[count], name);
  shared_->resolver_count = count + 1;
  return static_cast<std::uint16_t>(count);
}

std::uint16_t Journal::add_generation(Generation generation, const std::filesystem::path& copy) {
  const std::lock_guard lock(mutex_);
  const std::string path = copy.string();
  Search search{path};
  ::dl_iterate_phdr(find_mapping, &search);
  for (std::size_t i = 1; i < generations_max; ++i) {
    SharedGeneration& one = shared_->generations[i];
    if (one.used) continue;
    one.used = true;
    put(one.plugin, generation.plugin);
    put(one.version, generation.version);
    put(one.sha256, generation.sha256);
    put(one.build_id, generation.build_id);
    one.begin = search.begin;
    one.end = search.end;
    return static_cast<std::uint16_t>(i);
  }
  return 0;
}

void Journal::remove_generation(std::uint16_t number) {
  const std::lock_guard lock(mutex_);
  if (number == 0) return;
  SharedGeneration& one = shared_->generations.at(number);
  one.end = 0;
  one.begin = 0;
  one.used = false;
}

CrashMark& Journal::mark() { return shared_->mark; }
const CrashMark& Journal::mark() const { return shared_->mark; }
std::int64_t Journal::owner() const { return shared_->owner; }
std::size_t Journal::line_count() const {
  return std::min<std::size_t>(shared_->line_count, lines_max);
}
JournalLine* Journal::lines() { return shared_->lines.data(); }
const JournalLine* Journal::lines() const { return shared_->lines.data(); }

Journal::Names Journal::names(std::size_t line) const {
  const SharedNames& names = shared_->names.at(line);
  return {get(names.task), get(names.topic), names.partition};
}

std::string Journal::resolver(std::uint16_t number) const {
  return number == 0 || number >= resolvers_max ? "" : get(shared_->resolvers[number]);
}

std::optional<Journal::Generation> Journal::generation(std::uint16_t number) const {
  if (number == 0 || number >= generations_max) return std::nullopt;
  const SharedGeneration& one = shared_->generations[number];
  if (!one.used) return std::nullopt;
  return Generation{get(one.plugin),   get(one.version), get(one.sha256),
                    get(one.build_id), one.begin,        one.end};
}

std::optional<std::uint16_t> Journal::generation_at(std::uint64_t address) const {
  for (std::size_t i = 1; i < generations_max; ++i) {
    const SharedGeneration& one = shared_->generations[i];
    if (address >= one.begin && address < one.end) return static_cast<std::uint16_t>(i);
  }
  return std::nullopt;
}

bool Journal::is_in_plugin(std::uint64_t address) const {
  return generation_at(address).has_value();
}

std::int32_t Journal::line_in_call(std::int32_t thread) const {
  const std::size_t count = line_count();
  for (std::size_t i = 0; i < count; ++i) {
    const JournalLine& line = shared_->lines[i];
    if (line.thread.load(std::memory_order_relaxed) != thread) continue;
    if (JournalLine::slot_of(line.call.load(std::memory_order_relaxed)) != Slot::none) {
      return static_cast<std::int32_t>(i);
    }
  }
  return -1;
}

}  // namespace weir::host
