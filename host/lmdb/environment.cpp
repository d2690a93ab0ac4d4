#include "lmdb/environment.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <set>
#include <tuple>
#include <utility>

namespace weir::host {
namespace {

constexpr unsigned readers_max = 1024;
// Of a task: those that are not of one State. A State has two, its own and what is kept of it.
constexpr unsigned databases_own = 13;
// Group members may read along (a reader has to write its slot into lock.mdb); the umask decides.
constexpr mdb_mode_t file_mode = 0660;
// 64 bytes a reader and a page for the rest, rounded up.
constexpr off_t lock_file_bytes = off_t{64} * readers_max + 4096;

// LMDB's rule "once per process" is one about the process, so this state is the process's too. The
// pid is part of it because a forked child starts with a copy and has opened nothing itself.
struct Registry {
  using Entry = std::tuple<pid_t, std::uint64_t, std::uint64_t>;
  std::mutex mutex;
  std::set<Entry> open;
};
Registry& registry() {
  static Registry instance;
  return instance;
}

struct Release {
  void operator()(MDB_env* env) const { mdb_env_close(env); }
};

std::filesystem::path mount_point(const std::filesystem::path& path) {
  std::error_code ignored;
  std::filesystem::path at = std::filesystem::canonical(path, ignored);
  struct stat inner {};
  if (ignored || ::stat(at.c_str(), &inner) != 0) return path;
  while (at.has_parent_path() && at != at.parent_path()) {
    struct stat outer {};
    if (::stat(at.parent_path().c_str(), &outer) != 0 || outer.st_dev != inner.st_dev) break;
    at = at.parent_path();
  }
  return at;
}

bool at_file_size_limit(const std::filesystem::path& directory) {
  struct rlimit limit {};
  std::error_code code;
  const std::uintmax_t size = std::filesystem::file_size(directory / "data.mdb", code);
  return !code && ::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
         size + (std::uintmax_t{1} << 20) > limit.rlim_cur;
}

// LMDB writes lock.mdb through a shared map of a sparse file. On a full disk the first touch of a
// page would be SIGBUS, so its blocks are taken here, where that is an error.
Result<void> reserve_lock_file(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / "lock.mdb";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, file_mode);
  if (fd < 0) {
    if (errno != ENOSPC && errno != EDQUOT) return {};  // LMDB will say what is wrong
    return host::error(Errc::full, "cannot open {}: {}", path.string(), std::strerror(errno));
  }
  const int code = ::fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, lock_file_bytes) == 0 ? 0 : errno;
  ::close(fd);
  if (code != ENOSPC && code != EDQUOT) return {};  // or the file system cannot reserve
  return host::error(Errc::full, "no room for {}: {} ({}); make room and start again",
                     path.string(), std::strerror(code), mount_point(directory).string());
}

Error cannot_open(int code, const Environment::Options& options) {
  const std::string path = options.directory.string();
  if (code == MDB_INVALID) {
    return host::error(Errc::corrupt,
                       "{}/data.mdb is not an LMDB file; if nothing was ever committed here, "
                       "remove {} and start again",
                       path, path);
  }
  if (code == MDB_VERSION_MISMATCH) {
    return host::error(Errc::corrupt, "{} was written by another version of LMDB", path);
  }
  if (code == ENOMEM) {
    return host::error(Errc::io,
                       "cannot map {} of address space for {}; lower {} in the app's YAML",
                       readable_bytes(options.map_bytes), path, options.map_setting);
  }
  const Errc kind = code == ENOSPC || code == EDQUOT ? Errc::full : Errc::io;
  return host::error(kind, "cannot open {}: {}", path, mdb_strerror(code));
}

// Touching a page beyond the end of the file would be SIGBUS, in whoever touches it.
Result<void> check_length(MDB_env* raw, const std::string& path) {
  MDB_envinfo info{};
  MDB_stat stat{};
  mdb_env_info(raw, &info);
  mdb_env_stat(raw, &stat);
  int fd = -1;
  struct stat file {};
  const std::uint64_t needed = (std::uint64_t{info.me_last_pgno} + 1) * stat.ms_psize;
  if (mdb_env_get_fd(raw, &fd) == 0 && ::fstat(fd, &file) == 0 &&
      static_cast<std::uint64_t>(file.st_size) < needed) {
    return host::error(Errc::corrupt,
                       "{}/data.mdb is {} bytes, its newest commit needs {}: it was cut off; "
                       "restore it from a backup",
                       path, file.st_size, needed);
  }
  return {};
}

}  // namespace

std::string readable_bytes(std::uint64_t bytes) {
  static constexpr const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(units); ++unit) value /= 1024;
  return fmt::format("{:.4g} {}", value, units[unit]);
}

Environment::Environment(MDB_env* env, Options options, std::int32_t pid, std::uint64_t device,
                         std::uint64_t inode)
    : env_(env), options_(std::move(options)), pid_(pid), device_(device), inode_(inode) {}

Environment::~Environment() {
  mdb_env_close(env_);
  const std::lock_guard lock(registry().mutex);
  registry().open.erase({pid_, device_, inode_});
}

Result<std::unique_ptr<Environment>> Environment::open(const Options& options) {
  const std::string path = options.directory.string();
  struct stat directory {};
  if (::stat(path.c_str(), &directory) != 0) {
    return host::error(Errc::io, "cannot open {}: {}", path, std::strerror(errno));
  }
  const Registry::Entry identity{::getpid(), directory.st_dev, directory.st_ino};
  {
    const std::lock_guard lock(registry().mutex);
    if (!registry().open.insert(identity).second) {
      return host::error(Errc::refused, "{} is already open in this process", path);
    }
  }
  struct Unregister {
    Registry::Entry identity;
    bool armed = true;
    ~Unregister() {
      if (!armed) return;
      const std::lock_guard lock(registry().mutex);
      registry().open.erase(identity);
    }
  } unregister{identity};

  if (options.locking) WEIR_CHECK(reserve_lock_file(options.directory));
  MDB_env* raw = nullptr;
  if (const int code = mdb_env_create(&raw); code != 0) {
    return host::error(Errc::io, "cannot open {}: {}", path, mdb_strerror(code));
  }
  std::unique_ptr<MDB_env, Release> env(raw);
  mdb_env_set_maxreaders(raw, readers_max);
  mdb_env_set_maxdbs(raw, options.databases_max);
  if (options.map_bytes != 0) {
    const std::uint64_t page = 4096;
    mdb_env_set_mapsize(raw, (options.map_bytes + page - 1) / page * page);
  }
  unsigned flags = MDB_NOTLS;
  if (options.read_only) flags |= MDB_RDONLY;
  if (!options.sync) flags |= MDB_NOSYNC;
  if (!options.locking) flags |= MDB_NOLOCK;
  if (const int code = mdb_env_open(raw, path.c_str(), flags, file_mode); code != 0) {
    return cannot_open(code, options);
  }

  WEIR_CHECK(check_length(raw, path));
  int dead = 0;
  if (options.locking) mdb_reader_check(raw, &dead);
  unregister.armed = false;
  return std::unique_ptr<Environment>(new Environment(
      env.release(), options, std::get<0>(identity), std::get<1>(identity), std::get<2>(identity)));
}

Result<MDB_txn*> Environment::begin_read() {
  MDB_txn* txn = nullptr;
  int code = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn);
  if (code == MDB_MAP_RESIZED) {
    mdb_env_set_mapsize(env_, 0);
    code = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn);
  }
  if (code == MDB_READERS_FULL && free_dead_readers() > 0) {
    code = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn);
  }
  if (code != 0) return error(code, "reading");
  return txn;
}

Error Environment::error(int code, std::string_view doing) const {
  const std::string path = options_.directory.string();
  if (code == MDB_MAP_FULL) {
    const Space now = space();
    return host::error(
        Errc::full,
        "{0}: no room left in {1}: {2} of {3} {4} are used{5}; raise {3} in the app's YAML and "
        "start again; nothing of it was written",
        doing, path, readable_bytes(now.used_bytes), options_.map_setting,
        readable_bytes(now.map_bytes), stale_readers());
  }
  if (code == MDB_MAP_RESIZED) {
    return host::error(Errc::refused,
                       "{}: another process opened {} with a larger map than {} and used it; start "
                       "again with the same {}",
                       doing, path, readable_bytes(options_.map_bytes), options_.map_setting);
  }
  struct statvfs disk {};
  const bool known = ::statvfs(path.c_str(), &disk) == 0;
  const std::uint64_t available = known ? std::uint64_t{disk.f_bavail} * disk.f_frsize : 0;
  const bool limited = code == EFBIG || (code == EIO && at_file_size_limit(options_.directory));
  const bool short_write = code == EIO && known && available < std::uint64_t{1} << 20;
  if (code == ENOSPC || code == EDQUOT || limited || short_write) {
    const char* why = code == EDQUOT ? "the disk quota is used up"
                      : limited      ? "the file may not grow further (ulimit -f)"
                                     : "the file system is full";
    return host::error(
        Errc::full,
        "{}: no room for {}: {} ({}, {} free); make room and start again; nothing of "
        "it was written",
        doing, path, why, mount_point(options_.directory).string(), readable_bytes(available));
  }
  if (code == MDB_PANIC) {
    return host::error(Errc::io,
                       "{}: {} cannot be used any more: the disk refused the last step of a "
                       "commit, so that only a new start shows whether it counts",
                       doing, path);
  }
  if (code == MDB_CORRUPTED || code == MDB_PAGE_NOTFOUND || code == MDB_INVALID) {
    return host::error(Errc::corrupt, "{}: {} is damaged ({}); restore it from a backup", doing,
                       path, mdb_strerror(code));
  }
  if (code == MDB_READERS_FULL) {
    return host::error(Errc::io, "{}: {} processes read {} already; stop some of them", doing,
                       readers_max, path);
  }
  if (code == MDB_DBS_FULL) {
    return host::error(Errc::refused,
                       "{}: {} holds the State of at most {} resolvers; split the app", doing, path,
                       (options_.databases_max - databases_own) / 2);
  }
  return host::error(Errc::io, "{}: {}: {}", doing, path, mdb_strerror(code));
}

std::uint64_t Environment::last_transaction() const {
  MDB_envinfo info{};
  mdb_env_info(env_, &info);
  return info.me_last_txnid;
}

Result<std::uint64_t> Environment::readable_transaction() {
  WEIR_TRY(MDB_txn* const raw, begin_read());
  const Transaction txn(raw);
  return mdb_txn_id(txn.get());
}

int Environment::free_dead_readers() const {
  int dead = 0;
  mdb_reader_check(env_, &dead);
  return dead;
}

Environment::Space Environment::space() const {
  MDB_envinfo info{};
  MDB_stat stat{};
  mdb_env_info(env_, &info);
  mdb_env_stat(env_, &stat);
  Space out;
  out.map_bytes = info.me_mapsize;
  out.file_bytes = (std::uint64_t{info.me_last_pgno} + 1) * stat.ms_psize;
  out.used_bytes = out.file_bytes;

  MDB_txn* raw = nullptr;
  if (mdb_txn_begin(env_, nullptr, MDB_RDONLY, &raw) != 0) return out;
  const Transaction txn(raw);
  // Database 0 is LMDB's own list of free pages: transaction -> count, page numbers.
  Cursor cursor;
  if (cursor.open(raw, 0) != 0) return out;
  std::uint64_t free_pages = 0;
  MDB_val key{};
  MDB_val pages{};
  while (mdb_cursor_get(cursor.get(), &key, &pages, MDB_NEXT) == 0) {
    std::size_t count = 0;
    if (pages.mv_size >= sizeof count) std::memcpy(&count, pages.mv_data, sizeof count);
    free_pages += count;
  }
  out.used_bytes -= std::min(out.used_bytes, free_pages * stat.ms_psize);
  return out;
}

// Who keeps old pages from being used again: a reader more than a few commits behind.
std::string Environment::stale_readers() const {
  MDB_envinfo info{};
  mdb_env_info(env_, &info);
  struct Oldest {
    std::size_t newest;
    std::size_t commits_behind = 0;
    int pid = 0;
  } oldest{info.me_last_txnid};
  mdb_reader_list(
      env_,
      [](const char* line, void* context) {
        auto* found = static_cast<Oldest*>(context);
        int pid = 0;
        std::size_t thread = 0;
        std::size_t txn = 0;
        if (std::sscanf(line, "%d %zx %zu", &pid, &thread, &txn) == 3 && txn < found->newest &&
            found->newest - txn > found->commits_behind) {
          found->commits_behind = found->newest - txn;
          found->pid = pid;
        }
        return 0;
      },
      &oldest);
  if (oldest.commits_behind < 2) return "";
  return fmt::format(" (process {} has been reading for {} commits and keeps old pages; stop it)",
                     oldest.pid, oldest.commits_behind);
}

}  // namespace weir::host
