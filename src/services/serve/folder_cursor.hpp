// The keys below a directory in raw byte order, walked lazily: only the folders on the way to the present key are held.
#pragma once

#include <memory>
#include <vector>

#include "list_page.hpp"
#include "zcdp/base/fs.hpp"

namespace zcdp::s3door {

class FolderCursor final : public KeyCursor {
  public:
    FolderCursor(Fs& fs, int root) : fs_(fs), root_(root) {}
    void seek(std::string_view from) override { from_ = from; }
    Result<Step> next() override;
    const std::string& key() const override { return key_; }
    Result<ObjectStat> stat() override;
    std::string position() const override { return key_; }
    void go_on() override {}

  private:
    struct Level {
        Fd fd;
        std::string path;                ///< "" or with its '/'
        std::vector<std::string> names;  ///< sorted; folders with their '/'
        size_t next = 0;
    };
    Result<> enter(int parent, const std::string& name);
    Fs& fs_;
    int root_;
    std::vector<Level> levels_;
    bool begun_ = false;
    std::string from_, key_;
};

}  // namespace zcdp::s3door
