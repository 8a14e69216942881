// What the server shows: one directory as one bucket, or a store's snapshots as a bucket each.
// Thread rule: any thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "zcdp/base/clock.hpp"
#include "zcdp/base/fs.hpp"
#include "zcdp/store/snapshots.hpp"

namespace zcdp::services::serve {

class Buckets {
  public:
    virtual ~Buckets() = default;
    virtual std::vector<std::string> names() = 0;
    /// The directory behind a bucket; null when there is none of this name. Errors: those of the store.
    virtual Result<std::shared_ptr<const Fd>> open(const std::string& name) = 0;
    /// The same where that never blocks; null: open() may know more.
    virtual std::shared_ptr<const Fd> open_now(const std::string&) { return nullptr; }
};

/// Errors: not_found, denied.
Result<std::unique_ptr<Buckets>> make_folder_bucket(const std::string& directory, const std::string& name, Fs& fs);

/// Each Ready snapshot by the first 32 digits of its id; a pinned one also by its name, as a bucket may be called. What
/// is evicted while somebody reads it stays readable through the descriptors that are open.
std::unique_ptr<Buckets> make_store_buckets(std::unique_ptr<store::Snapshots> snapshots, Fs& fs, const Clock& clock);

/// "s3://models/llama-3/" -> "models-llama-3": small letters, digits, dots and hyphens, 3 to 63 of them. Pure.
std::string bucket_name_of(const std::string& snapshot_name);

}  // namespace zcdp::services::serve
