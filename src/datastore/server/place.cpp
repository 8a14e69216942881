#include "src/datastore/server/place.hpp"

#include <fcntl.h>
#include <linux/magic.h>

#include <filesystem>

namespace zcdp::datastore {
namespace {

/// statfs(2); those that linux/magic.h does not have are written as there.
constexpr std::pair<uint64_t, const char*> kNetworks[] = {
    {NFS_SUPER_MAGIC, "NFS"}, {0xff534d42, "CIFS"},     {0xfe534d42, "SMB"},      {SMB_SUPER_MAGIC, "SMB"},
    {V9FS_MAGIC, "9P"},       {0x65735546, "FUSE"},     {AFS_SUPER_MAGIC, "AFS"}, {0x00c36400, "CephFS"},
    {0x0bd00bd0, "Lustre"},   {0x47504653, "IBM GPFS"},
};

constexpr const char* kHint = "use a local disk, or block storage with ext4 or XFS";

Result<> check_links(Fs& fs, int dir, const std::string& root) {
    constexpr const char* kFirst = "format.link-1";
    constexpr const char* kSecond = "format.link-2";
    for (const char* name : {kFirst, kSecond}) (void)fs.unlink(dir, name);
    auto made = fs.open(dir, kFirst, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (!made) return system_error(made.error(), "writing into", root);
    const auto linked = fs.link(dir, kFirst, dir, kSecond);
    for (const char* name : {kFirst, kSecond}) (void)fs.unlink(dir, name);
    if (!linked) return Error(ErrorKind::refused, "is on a file system without hard links", root, kHint);
    return {};
}

}  // namespace

Result<> check_place(Fs& fs, const std::string& root) {
    std::error_code made;
    std::filesystem::create_directories(root, made);
    if (made) return system_error({made.value(), boost::system::system_category()}, "making the store", root);
    auto dir = fs.open(AT_FDCWD, (root + "/.").c_str(), O_RDONLY | O_DIRECTORY);
    if (!dir) return system_error(dir.error(), "opening the store", root);
    const auto type = fs.type(dir->get());
    if (!type) return system_error(type.error(), "looking at the file system of", root);
    for (const auto& [magic, name] : kNetworks)
        if (*type == magic) return Error(ErrorKind::refused, std::string("is on ") + name, root, kHint);
    return check_links(fs, dir->get(), root);
}

}  // namespace zcdp::datastore
