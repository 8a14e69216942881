#include "src/sync/list/sorter.hpp"
#include "zcdp/base/scratch.hpp"

#include <algorithm>

namespace zcdp::sync {
namespace {

/// Of each run while all are merged: a hundred million entries are some thousand runs.
constexpr size_t kMergeBufferBytes = 32 << 10;
constexpr size_t kPageEntries = 1000;

/// By path; of one path in an order as well, so that what is taken of them is always the same.
bool is_less(const origin::Entry& a, const origin::Entry& b) {
    if (const int order = a.path.compare(b.path); order != 0) return order < 0;
    return a.size_bytes != b.size_bytes ? a.size_bytes < b.size_bytes : a.tag < b.tag;
}

size_t bytes_of(const origin::Entry& entry) {
    return sizeof entry + entry.path.capacity() + entry.tag.str().capacity() + entry.symlink_target.capacity();
}

}  // namespace

void EntrySorter::add_run(int fd, uint64_t count) {
    auto run = std::make_unique<Run>();
    run->reader = std::make_unique<SpoolReader>(fs_, fd, count, 0, kMergeBufferBytes);
    runs_.push_back(std::move(run));
}

Result<> EntrySorter::add(origin::Entry&& entry) {
    held_bytes_ += bytes_of(entry);
    held_.push_back(std::move(entry));
    return held_bytes_ < held_bytes_max_ ? Result<>() : spill();
}

Result<> EntrySorter::spill() {
    std::sort(held_.begin(), held_.end(), is_less);
    if (!file_) {
        ZCDP_TRY(file_, open_scratch(fs_, scratch_folder_, random_));
    }
    SpoolWriter writer(fs_, file_.get(), end_bytes_);
    for (const origin::Entry& entry : held_) ZCDP_CHECK(writer.add(entry));
    ZCDP_CHECK(writer.finish());
    auto run = std::make_unique<Run>();
    run->reader = std::make_unique<SpoolReader>(fs_, file_.get(), writer.count(), end_bytes_, kMergeBufferBytes);
    runs_.push_back(std::move(run));
    end_bytes_ = writer.end_bytes();
    held_.clear();
    held_bytes_ = 0;
    return {};
}

bool EntrySorter::is_after(const Run* a, const Run* b) { return is_less(b->at.entry, a->at.entry); }

Result<> EntrySorter::finish() {
    std::sort(held_.begin(), held_.end(), is_less);
    runs_.push_back(std::make_unique<Run>());
    for (const auto& run : runs_) {
        ZCDP_TRY(const bool more, step(*run));
        if (more) heap_.push_back(run.get());
    }
    std::make_heap(heap_.begin(), heap_.end(), is_after);
    return {};
}

Result<bool> EntrySorter::step(Run& run) {
    if (run.reader) return run.reader->next(run.at);
    if (held_at_ == held_.size()) return false;
    run.at.entry = std::move(held_[held_at_++]);
    return true;
}

Result<origin::Entry*> EntrySorter::next() {
    if (last_) {
        ZCDP_TRY(const bool more, step(*std::exchange(last_, nullptr)));
        if (more) std::push_heap(heap_.begin(), heap_.end(), is_after);
        else heap_.pop_back();
    }
    if (heap_.empty()) return nullptr;
    std::pop_heap(heap_.begin(), heap_.end(), is_after);
    last_ = heap_.back();  // it is put back, or left out, by the next call
    return &last_->at.entry;
}

namespace {

class OrderedListing final : public origin::Listing {
  public:
    OrderedListing(std::unique_ptr<origin::Listing> listing, Fs& fs, Random& random, std::string scratch_folder)
        : listing_(std::move(listing)), fs_(fs), random_(random), scratch_folder_(std::move(scratch_folder)) {}
    bool is_ordered() const override { return true; }

    Task<Result<std::vector<origin::Entry>>> next() override {
        if (!sorter_) ZCDP_CO_CHECK(co_await collect());
        co_return page();
    }

  private:
    Task<Result<>> collect() {
        sorter_.emplace(fs_, random_, scratch_folder_);
        for (uint32_t restarts = 0;;) {
            ZCDP_CO_TRY(auto entries, co_await listing_->next());
            if (listing_->restarts() != restarts) {
                restarts = listing_->restarts();
                sorter_.emplace(fs_, random_, scratch_folder_);
            }
            if (entries.empty()) break;
            for (origin::Entry& entry : entries) ZCDP_CO_CHECK(sorter_->add(std::move(entry)));
        }
        co_return sorter_->finish();
    }
    Result<std::vector<origin::Entry>> page() {
        std::vector<origin::Entry> entries;
        while (entries.size() < kPageEntries) {
            ZCDP_TRY(origin::Entry* const entry, sorter_->next());
            if (!entry) break;
            if (any_ && entry->path == last_.path) {
                if (*entry == last_) continue;
                return Error(ErrorKind::refused,
                             "the listing has a key twice, and not the same: " + printable(entry->path));
            }
            any_ = true, last_ = *entry;
            entries.push_back(std::move(*entry));
        }
        return entries;
    }

    std::unique_ptr<origin::Listing> listing_;
    Fs& fs_;
    Random& random_;
    const std::string scratch_folder_;
    std::optional<EntrySorter> sorter_;
    origin::Entry last_;
    bool any_ = false;
};

}  // namespace

std::unique_ptr<origin::Listing> in_order(std::unique_ptr<origin::Listing> listing, Fs& fs, Random& random,
                                          std::string scratch_folder) {
    if (listing->is_ordered()) return listing;
    return std::make_unique<OrderedListing>(std::move(listing), fs, random, std::move(scratch_folder));
}

}  // namespace zcdp::sync
