// The keys below a directory in raw byte order, walked lazily: only the folders on the way to the present key are open,
// and of each no more names are held than a page has entries.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "folder_windows.hpp"
#include "list_page.hpp"
#include "zcdp/base/fs.hpp"

namespace zcdp::services::serve {

/// For one page of `query` below the open folder `root`. Keys without the query's prefix are left out, and where its
/// delimiter is '/', a folder that the page shows as a common prefix is given as one key that ends in '/', once it is
/// seen that a key lies below.
class FolderCursor final : public KeyCursor {
  public:
    FolderCursor(Fs& fs, FolderWindows& windows, int root, const ListQuery& query)
        : fs_(fs),
          windows_(windows),
          root_(root),
          prefix_(query.prefix),
          folds_(query.delimiter == "/"),
          names_most_(query.max_keys + 1),
          page_(windows.begin_page()),
          from_(query.prefix) {}
    void seek(std::string_view from) override;
    Result<Step> next() override;
    const std::string& key() const override { return key_; }
    Result<ObjectStat> stat() override;
    std::string position() const override { return key_; }
    void go_on() override { opened_ = 0; }

  private:
    struct Level {
        Fd fd;
        std::string path;                ///< "" or with its '/'
        std::vector<std::string> names;  ///< some that come next; folders with their '/'
        size_t next = 0;
        bool at_end = false;  ///< the folder has none behind `names`
        std::string behind;   ///< the names before it are done with
    };
    Result<> begin();
    Result<bool> advance(Level& level);
    void enter(SysResult<Fd> folder, std::string path);
    bool holds_file(int folder);

    Fs& fs_;
    FolderWindows& windows_;
    const int root_;
    const std::string prefix_;
    const bool folds_;
    const size_t names_most_;
    const uint64_t page_;
    std::vector<Level> levels_;
    bool begun_ = false;
    size_t opened_ = 0;  ///< folders, since go_on()
    std::string from_, key_;
};

/// Of the names in the folder `path` ("" or with its '/'), the least that keys >= `from` can begin with; nullopt when
/// all keys below the folder lie before `from`. Pure.
std::optional<std::string_view> first_name(std::string_view path, std::string_view from);

}  // namespace zcdp::services::serve
