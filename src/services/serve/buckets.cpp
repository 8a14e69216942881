#include "src/services/serve/buckets.hpp"

#include <fcntl.h>

#include <chrono>
#include <map>
#include <mutex>

#include "zcdp/base/ascii.hpp"

namespace zcdp::services::serve {
namespace {

constexpr size_t kIdDigits = 32, kNameMost = 63, kNameLeast = 3;
constexpr auto kLookAgain = std::chrono::seconds(2);

class FolderBucket final : public Buckets {
  public:
    FolderBucket(std::string name, Fd root)
        : name_(std::move(name)), root_(std::make_shared<const Fd>(std::move(root))) {}
    std::vector<std::string> names() override { return {name_}; }
    Result<std::shared_ptr<const Fd>> open(const std::string& name) override { return name == name_ ? root_ : nullptr; }
    std::shared_ptr<const Fd> open_now(const std::string& name) override { return name == name_ ? root_ : nullptr; }

  private:
    const std::string name_;
    const std::shared_ptr<const Fd> root_;
};

class StoreBuckets final : public Buckets {
  public:
    StoreBuckets(std::unique_ptr<store::Snapshots> snapshots, Fs& fs) : snapshots_(std::move(snapshots)), fs_(fs) {}

    std::vector<std::string> names() override {
        const std::scoped_lock lock(mutex_);
        (void)look();
        std::vector<std::string> out;
        for (const auto& [name, path] : paths_) out.push_back(name);
        return out;
    }

    Result<std::shared_ptr<const Fd>> open(const std::string& name) override {
        const std::scoped_lock lock(mutex_);
        ZCDP_CHECK(look());
        const auto found = paths_.find(name);
        if (found == paths_.end()) return std::shared_ptr<const Fd>();
        auto root = fs_.open(AT_FDCWD, (found->second + "/.").c_str(), O_RDONLY | O_DIRECTORY);
        if (!root) return std::shared_ptr<const Fd>();  // evicted since
        return std::make_shared<const Fd>(std::move(*root));
    }

  private:
    /// What is Ready now; looked at anew every two seconds.
    Result<> look() {
        const auto now = std::chrono::steady_clock::now();
        if (looked_ && now - *looked_ < kLookAgain) return {};
        ZCDP_TRY(const auto snapshots, snapshots_->list());
        looked_ = now;
        paths_.clear();
        std::map<std::string, int64_t> newest;
        for (const store::SnapshotInfo& snapshot : snapshots) {
            if (snapshot.state != store::SnapshotState::ready) continue;
            paths_[snapshot.id.str().substr(0, kIdDigits)] = snapshot.tree_path;
            const std::string name = bucket_name_of(snapshot.name);
            if (!snapshot.pinned || name.empty()) continue;
            const auto known = newest.find(name);
            if (known != newest.end() && known->second > snapshot.created_unix_s) continue;
            newest[name] = snapshot.created_unix_s;
            paths_[name] = snapshot.tree_path;
        }
        return {};
    }

    std::unique_ptr<store::Snapshots> snapshots_;
    Fs& fs_;
    std::mutex mutex_;
    std::map<std::string, std::string> paths_;  ///< bucket -> tree
    std::optional<std::chrono::steady_clock::time_point> looked_;
};

}  // namespace

std::string bucket_name_of(const std::string& snapshot_name) {
    const size_t scheme = snapshot_name.find("://");
    std::string out;
    for (const char c : snapshot_name.substr(scheme == std::string::npos ? 0 : scheme + 3)) {
        const char small = to_lower(c);
        const bool plain = (small >= 'a' && small <= 'z') || (small >= '0' && small <= '9') || small == '.';
        if (plain) out += small;
        else if (!out.empty() && out.back() != '-') out += '-';
    }
    if (out.size() > kNameMost) out.resize(kNameMost);
    while (!out.empty() && (out.back() == '-' || out.back() == '.')) out.pop_back();
    return out.size() < kNameLeast ? "" : out;
}

Result<std::unique_ptr<Buckets>> make_folder_bucket(const std::string& directory, const std::string& name, Fs& fs) {
    auto root = fs.open(AT_FDCWD, (directory + "/.").c_str(), O_RDONLY | O_DIRECTORY);
    if (!root) return system_error(root.error(), "opening the directory", directory);
    return std::unique_ptr<Buckets>(std::make_unique<FolderBucket>(name, std::move(*root)));
}

std::unique_ptr<Buckets> make_store_buckets(std::unique_ptr<store::Snapshots> snapshots, Fs& fs) {
    return std::make_unique<StoreBuckets>(std::move(snapshots), fs);
}

}  // namespace zcdp::services::serve
