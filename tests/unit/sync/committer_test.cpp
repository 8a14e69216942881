#include "src/sync/fetch/committer.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>

#include "tests/support/doctest.hpp"

using namespace zcdp;
using namespace zcdp::sync;

namespace {

constexpr size_t kBatch = 4096, kWaitingMost = 4 * kBatch;

store::TagRow row(size_t number) { return {"key " + std::to_string(number), Tag("tag"), 1, {}}; }

/// Remembers what is committed; holds commits up while its gate is closed; fails on demand.
class Recorded final : public store::Incoming {
  public:
    Result<> stage(const store::BlobRef&, std::span<const std::byte>) override { return not_here(); }
    Result<std::unique_ptr<store::PartialFile>> open_partial(const store::PartialKey&, uint64_t) override {
        return not_here();
    }
    Result<> stage_partial(std::unique_ptr<store::PartialFile>, const store::BlobRef&) override { return not_here(); }
    Result<> commit() override { return not_here(); }
    Result<> commit(const store::TagScope& scope, std::span<const store::TagRow> tags) override {
        std::unique_lock lock(mutex_);
        open_.wait(lock, [this] { return !closed_; });
        buckets.push_back(scope.bucket);
        batches.emplace_back(tags.begin(), tags.end());
        committed_.notify_all();
        if (fails) return Error(ErrorKind::no_space, "the disk is full");
        return {};
    }
    uint64_t staged_files() const override { return 0; }
    uint64_t staged_bytes() const override { return 0; }

    void close() {
        const std::scoped_lock lock(mutex_);
        closed_ = true;
    }
    void open() {
        const std::scoped_lock lock(mutex_);
        closed_ = false;
        open_.notify_all();
    }
    /// Whether so many commits came within half a minute.
    bool wait_for(size_t count) {
        std::unique_lock lock(mutex_);
        return committed_.wait_for(lock, std::chrono::seconds(30), [&] { return batches.size() >= count; });
    }
    std::vector<std::vector<store::TagRow>> batches;
    std::vector<std::string> buckets;
    std::atomic<bool> fails{false};

  private:
    static Error not_here() { return Error(ErrorKind::failed, "not asked here"); }
    std::mutex mutex_;
    std::condition_variable open_, committed_;
    bool closed_ = false;
};

size_t rows_of(const Recorded& incoming) {
    size_t out = 0;
    for (const auto& batch : incoming.batches) out += batch.size();
    return out;
}

}  // namespace

TEST_CASE("what was added is committed at the end, in order, in the scope that it has") {
    Recorded incoming;
    Committer committer(incoming, {"https://s3", "bucket", "anonymous"});
    committer.start();
    for (size_t i = 0; i < 10; ++i) committer.add(row(i));
    REQUIRE(committer.finish());
    REQUIRE(rows_of(incoming) == 10);
    size_t number = 0;
    for (const auto& batch : incoming.batches)
        for (const auto& one : batch) CHECK(one.key == "key " + std::to_string(number++));
    for (const std::string& bucket : incoming.buckets) CHECK(bucket == "bucket");
    CHECK_FALSE(committer.failed());
}

TEST_CASE("nothing to commit: no commit") {
    Recorded incoming;
    Committer committer(incoming, {});
    committer.start();
    REQUIRE(committer.finish());
    CHECK(incoming.batches.empty());
}

TEST_CASE("a full batch is committed while more is being added") {
    Recorded incoming;
    Committer committer(incoming, {});
    committer.start();
    for (size_t i = 0; i < kBatch; ++i) committer.add(row(i));
    CHECK(incoming.wait_for(1));
    committer.add(row(kBatch));
    REQUIRE(committer.finish());
    CHECK(rows_of(incoming) == kBatch + 1);
}

TEST_CASE("bytes make a batch full as well, and a batch that is not full is committed all the same") {
    Recorded incoming;
    Committer committer(incoming, {});
    committer.start();
    store::TagRow large = row(0);
    SUBCASE("many bytes") { large.size_bytes = 1ull << 30; }
    SUBCASE("after its time") {}
    committer.add(large);
    CHECK(incoming.wait_for(1));
    REQUIRE(committer.finish());
    CHECK(rows_of(incoming) == 1);
}

TEST_CASE("whoever adds waits when commits fall behind, and nothing is lost") {
    constexpr size_t kRows = 10 * kBatch;
    Recorded incoming;
    incoming.close();
    Committer committer(incoming, {});
    committer.start();
    std::atomic<size_t> added{0};
    std::thread adds([&] {
        for (size_t i = 0; i < kRows; ++i) committer.add(row(i)), ++added;
    });
    for (int looks = 0; looks < 3'000 && added < kWaitingMost; ++looks)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    CHECK(added >= kWaitingMost);
    CHECK(added <= 2 * kWaitingMost);  // one batch under way, and those that wait
    incoming.open();
    adds.join();
    REQUIRE(committer.finish());
    CHECK(rows_of(incoming) == kRows);
}

TEST_CASE("after an error nothing more is committed, nobody waits, and the end says which error it was") {
    Recorded incoming;
    incoming.fails = true;
    Committer committer(incoming, {});
    committer.start();
    for (size_t i = 0; i < 10 * kBatch; ++i) committer.add(row(i));  // returns, though nobody takes them
    const auto done = committer.finish();
    REQUIRE_FALSE(done);
    CHECK(done.error().kind() == ErrorKind::no_space);
    CHECK(committer.failed());
    CHECK(incoming.batches.size() == 1);
}

TEST_CASE("a committer that is destroyed commits what is left, and ends its thread") {
    Recorded incoming;
    {
        Committer committer(incoming, {});
        committer.start();
        committer.add(row(0));
    }
    CHECK(rows_of(incoming) == 1);
}
