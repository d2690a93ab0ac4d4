#include "commit/file_system.hpp"

#include <sys/vfs.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>

namespace weir::host {
namespace {

struct Known {
  std::uint32_t type;
  FileSystemJudgement judgement;
};

constexpr std::string_view other_machines =
    "other machines, or a server, see the file through caches of their own";
constexpr std::string_view user_space =
    "a program answers for the disk, and shared maps and locks depend on which one";

constexpr FileSystemJudgement unsafe(std::string_view name, std::string_view why = other_machines) {
  return {FileSystemFitness::unsafe, name, why};
}
constexpr FileSystemJudgement fit(std::string_view name) {
  return {FileSystemFitness::fit, name, ""};
}

// Numbers of linux/magic.h, and of file systems outside the kernel from statfs(2) and coreutils.
constexpr Known known[] = {
    {0x00006969, unsafe("nfs")},
    {0x0000517B, unsafe("smb")},
    {0xFE534D42, unsafe("smb2")},
    {0xFF534D42, unsafe("cifs")},
    {0x00C36400, unsafe("ceph")},
    {0x01021997, unsafe("9p")},
    {0x0BD00BD0, unsafe("lustre")},
    {0x01161970, unsafe("gfs2")},
    {0x7461636F, unsafe("ocfs2")},
    {0x5346414F, unsafe("afs")},
    {0x6B414653, unsafe("afs")},
    {0x73757245, unsafe("coda")},
    {0x0000564C, unsafe("ncp")},
    {0x47504653, unsafe("gpfs")},
    {0x19830326, unsafe("beegfs")},
    {0xAAD7AAEA, unsafe("panfs")},
    {0x61636673, unsafe("acfs")},
    {0x20030528, unsafe("orangefs")},
    {0x013111A8, unsafe("ibrix")},
    {0x65735546, unsafe("fuse", user_space)},
    {0x786F4256, unsafe("vboxsf", user_space)},
    {0xBACBACBC, unsafe("vmhgfs", user_space)},
    {0x7C7C6673, unsafe("prl_fs", user_space)},
    {0x794C7630,
     {FileSystemFitness::unwise, "overlay",
      "it is usually a container's own layer, which goes with the container; use a volume"}},
    {0x01021994,
     {FileSystemFitness::unwise, "tmpfs",
      "it is memory, which goes with the next start of the "
      "machine; use a disk"}},
    {0x858458F6,
     {FileSystemFitness::unwise, "ramfs",
      "it is memory, which goes with the next start of the "
      "machine; use a disk"}},
    {0x0000EF53, fit("ext4")},
    {0x58465342, fit("xfs")},
    {0x9123683E, fit("btrfs")},
    {0x2FC12FC1, fit("zfs")},
    {0xF2F52010, fit("f2fs")},
    {0xCA451A4E, fit("bcachefs")},
};

}  // namespace

FileSystemJudgement judge_file_system(std::uint64_t type) {
  // f_type is signed and as wide as a pointer: the upper half says nothing.
  const auto* found = std::find_if(std::begin(known), std::end(known), [&](const Known& one) {
    return one.type == static_cast<std::uint32_t>(type);
  });
  return found == std::end(known) ? FileSystemJudgement{} : found->judgement;
}

Result<std::uint64_t> file_system_type(const std::filesystem::path& path) {
  std::filesystem::path at = std::filesystem::absolute(path);
  std::error_code ignored;
  while (!std::filesystem::exists(at, ignored) && at.has_relative_path()) at = at.parent_path();
  struct statfs disk {};
  if (::statfs(at.c_str(), &disk) != 0) {
    return error(Errc::io, "cannot look at the file system of {}: {}", at.string(),
                 std::strerror(errno));
  }
  return static_cast<std::uint64_t>(disk.f_type);
}

}  // namespace weir::host
