#include "src/services/serve/buckets.hpp"

#include <fcntl.h>

#include <map>

#include "zcdp/base/ascii.hpp"
#include "zcdp/base/guarded.hpp"
#include "zcdp/base/open_cached.hpp"

namespace zcdp::services::serve {
namespace {

constexpr size_t kIdDigits = 32, kNameMost = 63, kNameLeast = 3;
constexpr int64_t kLookAgainNs = 2'000'000'000;

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
    StoreBuckets(std::unique_ptr<store::Snapshots> snapshots, Fs& fs, const Clock& clock)
        : snapshots_(std::move(snapshots)), fs_(fs), clock_(clock) {}

    std::vector<std::string> names() override {
        (void)look();
        std::vector<std::string> out;
        const auto known = last();
        if (!known) return out;
        for (const auto& [name, path] : known->paths) out.push_back(name);
        return out;
    }

    Result<std::shared_ptr<const Fd>> open(const std::string& name) override {
        ZCDP_TRY(const auto known, look());
        const auto found = known->paths.find(name);
        if (found == known->paths.end()) return std::shared_ptr<const Fd>();
        auto root = fs_.open(AT_FDCWD, (found->second + "/.").c_str(), O_RDONLY | O_DIRECTORY);
        if (!root) return std::shared_ptr<const Fd>();  // evicted since
        return std::make_shared<const Fd>(std::move(*root));
    }

    std::shared_ptr<const Fd> open_now(const std::string& name) override {
        const auto known = fresh();
        if (!known) return nullptr;
        const auto found = known->paths.find(name);
        if (found == known->paths.end()) return nullptr;
        auto root = open_cached(fs_, AT_FDCWD, (found->second + "/.").c_str(), O_RDONLY | O_DIRECTORY);
        return root ? std::make_shared<const Fd>(std::move(*root)) : nullptr;
    }

  private:
    struct Known {
        int64_t looked_ns = 0;
        std::map<std::string, std::string> paths;  ///< bucket -> tree
    };

    std::shared_ptr<const Known> last() {
        const MutexLock lock(mutex_);
        return known_;
    }

    /// Null when it is time to look.
    std::shared_ptr<const Known> fresh() {
        auto known = last();
        if (known && clock_.monotonic_ns() - known->looked_ns >= kLookAgainNs) known = nullptr;
        return known;
    }

    /// What is Ready now; looked at anew every two seconds.
    Result<std::shared_ptr<const Known>> look() {
        const MutexLock one_looks(looking_);
        if (auto known = fresh()) return known;
        auto known = std::make_shared<Known>();
        known->looked_ns = clock_.monotonic_ns();
        ZCDP_TRY(const auto snapshots, snapshots_->list());
        std::map<std::string, int64_t> newest;
        for (const store::SnapshotInfo& snapshot : snapshots) {
            if (snapshot.state != store::SnapshotState::ready) continue;
            known->paths[snapshot.id.str().substr(0, kIdDigits)] = snapshot.tree_path;
            const std::string name = bucket_name_of(snapshot.name);
            if (!snapshot.pinned || name.empty()) continue;
            const auto earlier = newest.find(name);
            if (earlier != newest.end() && earlier->second > snapshot.created_unix_s) continue;
            newest[name] = snapshot.created_unix_s;
            known->paths[name] = snapshot.tree_path;
        }
        const MutexLock lock(mutex_);
        known_ = known;
        return std::shared_ptr<const Known>(std::move(known));
    }

    std::unique_ptr<store::Snapshots> snapshots_;
    Fs& fs_;
    const Clock& clock_;
    Mutex looking_;  ///< over the store's list
    Mutex mutex_;    ///< for a moment only
    std::shared_ptr<const Known> known_ ZCDP_GUARDED_BY(mutex_);
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

std::unique_ptr<Buckets> make_store_buckets(std::unique_ptr<store::Snapshots> snapshots, Fs& fs, const Clock& clock) {
    return std::make_unique<StoreBuckets>(std::move(snapshots), fs, clock);
}

}  // namespace zcdp::services::serve
