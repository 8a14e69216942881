// A directory tree's entries in the order of a listing. Of a folder no more names are held than fit in a window
// (zcdp/base/name_window.hpp); one with more is read again for the next, so that ten million files in one folder are
// listed in a few MiB. Thread rule: one thread at a time.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "zcdp/base/error.hpp"
#include "zcdp/base/fs.hpp"
#include "zcdp/base/name_window.hpp"
#include "zcdp/origin/local.hpp"
#include "zcdp/origin/origin.hpp"
#include "zcdp/origin/selection.hpp"

namespace zcdp::origin::local {

/// What a listing says of a file.
Entry file_entry(std::string path, const struct stat& st);

/// Walks depth first, in raw byte order of whole paths: a folder sorts as its name with a '/'.
class Walk {
  public:
    static constexpr size_t kWindowBytes = size_t{8} << 20;  ///< some 280,000 names of 20 bytes

    /// Below the open folder `root`, which errors call `root_path`. `selection` must outlive it. With `follow` there
    /// are no symlinks in it, but what they lead to; one that leads nowhere, or to a folder that it lies in, is an
    /// error.
    Walk(Fs& fs, int root, std::string root_path, const Selection& selection, bool follow = false,
         size_t window_bytes = kWindowBytes)
        : fs_(fs),
          root_(root),
          root_path_(std::move(root_path)),
          selection_(selection),
          follow_(follow),
          window_bytes_(window_bytes) {}
    /// Up to a page of entries; empty at the end. Blocks.
    Result<std::vector<Entry>> page();

  private:
    struct Level {
        Fd fd;
        std::string path;  ///< "" or with its '/'
        NameWindow names;  ///< folders with their '/'
        dev_t device = 0;  ///< with `follow` alone, as the next
        ino_t inode = 0;
        size_t next = 0;
        mutable std::optional<bool> sizes_hold;  ///< of its file system; asked for at the first file without bytes
    };
    Result<> enter(int parent, std::string_view name, std::vector<Entry>& entries);
    /// Reads the names from `from` on.
    Result<> read(Level& level, std::string_view from);
    /// Opens a folder and reads its first names; false when there is nothing to walk in it.
    Result<bool> open(int parent, std::string_view name, Level& level, std::vector<Entry>& entries);
    /// What a name is when it is touched: through symlinks where they are followed.
    SysResult<struct stat> look(int folder, const char* name);
    Result<> check_no_loop(Level& level);
    Error link_error(const boost::system::error_code& code, const std::string& path) const;
    bool is_folder(const Level& level, const SeenEntry& entry);
    void list_by_name(std::string path, std::vector<Entry>& entries) const;
    Result<> add(const Level& level, std::string_view name, std::vector<Entry>& entries);
    Result<> check_empty(const Level& level, const std::string& component, const std::string& path);
    Error error(const boost::system::error_code& code, std::string_view action, const std::string& path) const;

    Fs& fs_;
    const int root_;
    const std::string root_path_;
    const Selection& selection_;
    const bool follow_;
    const size_t window_bytes_;
    std::vector<Level> levels_;
    bool begun_ = false;
};

}  // namespace zcdp::origin::local
