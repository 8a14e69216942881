#include "zcdp/datastore/key_index.hpp"

#include "src/datastore/keys/key_reader.hpp"
#include "src/datastore/keys/key_writer.hpp"
#include "zcdp/base/guarded.hpp"

namespace zcdp::datastore {
namespace {

constexpr size_t kReaders = 4;  ///< each has a page cache of 4 MiB

}  // namespace

/// One connection that writes, under its lock, and some that read, each lent to one thread at a time.
struct KeyIndex::Parts {
    Mutex writing;
    std::unique_ptr<KeyWriter> writer ZCDP_GUARDED_BY(writing) ZCDP_PT_GUARDED_BY(writing);
    std::atomic<uint64_t> keys{0};

    Mutex lending;
    ConditionVariable given_back;
    std::vector<std::unique_ptr<KeyReader>> readers ZCDP_GUARDED_BY(lending);

    template <class Ask>
    auto read(Ask ask) {
        std::unique_ptr<KeyReader> reader;
        {
            const MutexLock lock(lending);
            while (readers.empty()) given_back.wait(lending);
            reader = std::move(readers.back());
            readers.pop_back();
        }
        auto answer = ask(*reader);
        {
            const MutexLock lock(lending);
            readers.push_back(std::move(reader));
        }
        given_back.notify_one();
        return answer;
    }

    template <class Change>
    auto write(Change change) {
        const MutexLock lock(writing);
        auto done = change(*writer);
        keys.store(writer->keys(), std::memory_order_relaxed);
        return done;
    }
};

Result<std::unique_ptr<KeyIndex>> KeyIndex::open(const std::string& path, KeyIndexOptions options) {
    auto parts = std::make_unique<Parts>();
    ZCDP_TRY(auto writer, KeyWriter::open(path, options));
    std::vector<std::unique_ptr<KeyReader>> readers;
    while (readers.size() < kReaders) {
        ZCDP_TRY(auto reader, KeyReader::open(path));
        readers.push_back(std::move(reader));
    }
    ZCDP_TRY(const uint64_t keys, readers.front()->count());
    writer->set_keys(keys);
    parts->keys = keys;
    {
        const MutexLock lock(parts->writing);
        parts->writer = std::move(writer);
    }
    {
        const MutexLock lock(parts->lending);
        parts->readers = std::move(readers);
    }
    return std::unique_ptr<KeyIndex>(new KeyIndex(std::move(parts)));
}

KeyIndex::KeyIndex(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
KeyIndex::~KeyIndex() = default;

Result<Item> KeyIndex::find(const std::string& key, uint64_t version, int64_t now) {
    return parts_->read([&](KeyReader& reader) { return reader.find(key, version, now); });
}

Result<FoundVersion> KeyIndex::find_to_read(const std::string& key, uint64_t version, int64_t now) {
    return parts_->read([&](KeyReader& reader) { return reader.find_to_read(key, version, now); });
}

Result<std::vector<Item>> KeyIndex::history(const std::string& key, int64_t now) {
    return parts_->read([&](KeyReader& reader) { return reader.history(key, now); });
}

Result<ItemPage> KeyIndex::list(const std::string& prefix, bool recursive, const std::string& after, uint64_t limit,
                                int64_t now) {
    return parts_->read([&](KeyReader& reader) { return reader.list(prefix, recursive, after, limit, now); });
}

Result<bool> KeyIndex::is_folder(const std::string& key, int64_t now) {
    return parts_->read([&](KeyReader& reader) { return reader.is_folder(key, now); });
}

uint64_t KeyIndex::keys() const { return parts_->keys.load(std::memory_order_relaxed); }

Result<Switched> KeyIndex::switch_to(const NewVersion& version, int64_t now) {
    return parts_->write([&](KeyWriter& writer) { return writer.switch_to(version, now); });
}

Result<bool> KeyIndex::remove(const std::string& key, int64_t now) {
    return parts_->write([&](KeyWriter& writer) { return writer.remove(key, now); });
}

Result<RemovedKeys> KeyIndex::remove_below(const std::string& prefix, const std::string& from, uint64_t limit,
                                           int64_t now) {
    return parts_->write([&](KeyWriter& writer) { return writer.remove_below(prefix, from, limit, now); });
}

Result<uint64_t> KeyIndex::expire(int64_t now, uint64_t limit) {
    return parts_->write([&](KeyWriter& writer) { return writer.expire(now, limit); });
}

Result<> KeyIndex::intend(const store::SnapshotId& snapshot, int64_t now) {
    return parts_->write([&](KeyWriter& writer) { return writer.intend(snapshot, now); });
}

Result<std::vector<store::SnapshotId>> KeyIndex::unreferenced(int64_t before, uint64_t limit) {
    return parts_->write([&](KeyWriter& writer) { return writer.unreferenced(before, limit); });
}

Result<bool> KeyIndex::is_unreferenced(const store::SnapshotId& snapshot) {
    return parts_->write([&](KeyWriter& writer) { return writer.is_unreferenced(snapshot); });
}

Result<> KeyIndex::forget(const store::SnapshotId& snapshot) {
    return parts_->write([&](KeyWriter& writer) { return writer.forget(snapshot); });
}

Result<uint64_t> KeyIndex::let_go(int64_t before, int64_t now, uint64_t limit,
                                  const std::function<bool(const store::SnapshotId&)>& in_use) {
    return parts_->write([&](KeyWriter& writer) { return writer.let_go(before, now, limit, in_use); });
}

Result<uint64_t> KeyIndex::forget_removed(int64_t before, uint64_t limit) {
    return parts_->write([&](KeyWriter& writer) { return writer.forget_removed(before, limit); });
}

}  // namespace zcdp::datastore
