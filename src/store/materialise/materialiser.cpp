// One file out of a ready tree: by hard link, reflink or copy.
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <vector>

#include "src/store/materialise/direct_copy.hpp"
#include "zcdp/store/materialise.hpp"
#include "zcdp/store/target.hpp"

namespace zcdp::store {
namespace {

constexpr size_t kCopyBytes = 1 << 20;
constexpr uint64_t kCopyRangeBytes = 64 << 20;  ///< between two looks at how far it is

/// Answers by which a file system says that it has no such call, or not between these two files.
bool cannot(const boost::system::error_code& code) {
    const int number = code.value();
    return number == EOPNOTSUPP || number == EXDEV || number == EINVAL || number == ENOTTY || number == ENOSYS;
}

class FileMaterialiser final : public Materialiser {
  public:
    FileMaterialiser(Fs& fs, MaterialiserOptions options)
        : fs_(fs), options_(std::move(options)), can_clone_(options_.way == Way::clone_or_copy) {}

    Result<Fd> make(const ManifestEntry& file, const std::string& name) override {
        if (options_.way == Way::link) {
            ZCDP_TRY(const bool linked, link(file, name));
            if (linked) return Fd();
        }
        auto from = fs_.open(options_.source, file.path.c_str(), O_RDONLY);
        if (!from) return system_error(from.error(), "opening in the store", file.path);
        auto to = fs_.open(options_.target, name.c_str(), O_RDWR | O_CREAT | O_EXCL, file.executable ? 0777 : 0666);
        if (!to) return error(to.error(), "making", file);
        ZCDP_CHECK(copy_content(from->get(), to->get(), file, name));
        return std::move(*to);
    }

  private:
    Error error(const boost::system::error_code& code, std::string_view action, const ManifestEntry& file) const {
        return target_error(code, action, options_.target_path + "/" + file.path);
    }
    void count(uint64_t bytes) const {
        if (options_.placed) options_.placed(bytes);
    }
    Result<bool> link(const ManifestEntry& file, const std::string& name);
    Result<> copy_content(int from, int to, const ManifestEntry& file, const std::string& name);
    Result<bool> clone(int from, int to, const ManifestEntry& file);
    Result<uint64_t> copy_in_kernel(int from, int to, const ManifestEntry& file);
    Result<> copy_by_hand(int from, int to, uint64_t done, const ManifestEntry& file);

    Fs& fs_;
    const MaterialiserOptions options_;
    bool can_clone_, can_copy_range_ = true;
};

/// False when the file has to be copied all the same.
Result<bool> FileMaterialiser::link(const ManifestEntry& file, const std::string& name) {
    auto linked = fs_.link(options_.source, file.path.c_str(), options_.target, name.c_str());
    if (!linked && linked.error().value() == EMLINK) return false;
    if (!linked && linked.error().value() == EXDEV)
        return Error(ErrorKind::usage, "is on another file system than the store, hard links cannot reach it",
                     options_.target_path);
    if (!linked) return error(linked.error(), "linking", file);
    count(file.size_bytes);
    return true;
}

Result<bool> FileMaterialiser::clone(int from, int to, const ManifestEntry& file) {
    if (!can_clone_) return false;
    auto cloned = fs_.clone(from, to);
    if (!cloned && !cannot(cloned.error())) return error(cloned.error(), "cloning into", file);
    can_clone_ = cloned.has_value();
    if (cloned) count(file.size_bytes);
    return can_clone_;
}

Result<> FileMaterialiser::copy_content(int from, int to, const ManifestEntry& file, const std::string& name) {
    if (file.size_bytes == 0) return {};
    ZCDP_TRY(const bool cloned, clone(from, to, file));
    if (cloned) return {};
    if (file.size_bytes >= kDirectCopyBytesMin) {
        const std::string shown = options_.target_path + "/" + file.path;
        ZCDP_TRY(const bool copied,
                 copy_direct(fs_, {options_.source, file.path, file.path}, {options_.target, name, shown},
                             file.size_bytes, [this](uint64_t bytes) { count(bytes); }));
        if (copied) return {};
    }
    ZCDP_TRY(const uint64_t done, copy_in_kernel(from, to, file));
    return copy_by_hand(from, to, done, file);
}

/// As far as the kernel copies between these two.
Result<uint64_t> FileMaterialiser::copy_in_kernel(int from, int to, const ManifestEntry& file) {
    uint64_t done = 0;
    while (can_copy_range_ && done < file.size_bytes) {
        auto copied = fs_.copy(from, to, done, std::min(kCopyRangeBytes, file.size_bytes - done));
        if (!copied && !cannot(copied.error())) return error(copied.error(), "copying into", file);
        can_copy_range_ = copied.has_value();
        if (!copied || *copied == 0) break;
        done += *copied;
        count(*copied);
    }
    return done;
}

Result<> FileMaterialiser::copy_by_hand(int from, int to, uint64_t done, const ManifestEntry& file) {
    std::vector<std::byte> buffer;
    while (done < file.size_bytes) {
        buffer.resize(kCopyBytes);
        const auto got =
            fs_.read(from, std::span(buffer).first(std::min<uint64_t>(kCopyBytes, file.size_bytes - done)), done);
        if (!got) return system_error(got.error(), "reading from the store", file.path);
        if (*got == 0)
            return Error(ErrorKind::corrupt, "a file of the store is shorter than it should be", file.path,
                         "run: zcdp store verify");
        if (auto put = fs_.write(to, std::span(buffer).first(*got), done); !put)
            return error(put.error(), "writing", file);
        done += *got;
        count(*got);
    }
    return {};
}

}  // namespace

std::unique_ptr<Materialiser> make_materialiser(Fs& fs, MaterialiserOptions options) {
    return std::make_unique<FileMaterialiser>(fs, std::move(options));
}

}  // namespace zcdp::store
