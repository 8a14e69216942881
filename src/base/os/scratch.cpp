#include "zcdp/base/scratch.hpp"

#include <fcntl.h>

namespace zcdp {

Result<Fd> open_scratch(Fs& fs, const std::string& folder, Random& random) {
    if (auto file = fs.open(AT_FDCWD, folder.c_str(), O_TMPFILE | O_RDWR, 0600)) return std::move(*file);
    // Not every file system has O_TMPFILE.
    const std::string path = folder + "/.scratch-" + random.hex(16);
    auto file = fs.open(AT_FDCWD, path.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600);
    if (!file) return system_error(file.error(), "making a scratch file", folder);
    if (auto gone = fs.unlink(AT_FDCWD, path.c_str()); !gone)
        return system_error(gone.error(), "unlinking a scratch file", path);
    return std::move(*file);
}

}  // namespace zcdp
