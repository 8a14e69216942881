#include "src/datastore/server/chunk_intake.hpp"

#include <algorithm>
#include <cstring>

namespace zcdp::datastore {
namespace {

constexpr size_t kBlockBytes = kHugePageBytes / 2;
static_assert(kBlockBytes >= kShortBytesMax);
/// So long another may take for the chunk that this request brings, too.
constexpr uint64_t kTurnMs = 60'000, kLookAgainMs = 10;

Error not_its_digest(const Digest& digest) {
    return Error(ErrorKind::corrupt, "came with other bytes than the digest's", digest.str());
}

Error not_announced(const Digest& digest) {
    return Error(ErrorKind::refused, "was not asked for", digest.str(), "ask what is missing first");
}

}  // namespace

ChunkIntake::~ChunkIntake() {
    if (long_ && writes_) long_->end_write(header_.chunk);
}

std::span<std::byte> ChunkIntake::block() const { return memory_.bytes().first(kBlockBytes); }

std::span<char> ChunkIntake::receiving() const {
    const auto bytes = memory_.bytes().subspan(kBlockBytes);
    return {reinterpret_cast<char*>(bytes.data()), bytes.size()};
}

Task<Answered<>> ChunkIntake::begin(ChunkHeader header) {
    header_ = header, got_bytes_ = 0, drops_ = false;
    ++chunks_;
    const bool is_short = header_.size_bytes <= kShortBytesMax;
    if (!is_short || filled_ + header_.size_bytes > kBlockBytes) ZCDP_CO_CHECK(co_await flush_shorts());
    if (!is_short) co_return co_await begin_long();
    shorts_.push_back({{header_.digest, header_.size_bytes, header_.executable}, filled_});
    co_return Answered<>();
}

/// What the chunk is of, open; null when that is in the store. A content of one chunk has not been kept since it was
/// asked about: it is its own list.
Answered<std::shared_ptr<LongContent>> ChunkIntake::content_of(const ChunkHeader& header) {
    const store::BlobRef blob{header.digest, header.size_bytes, header.executable};
    auto content = upload_.find_long(header.digest);
    if (!content && header.digest.kind == DigestKind::sha256) {
        if (parts_.store->has_blob(blob)) return content;
        if (!upload_.take_room(blob.size_bytes)) return not_announced(header.digest);
        content = parts_.long_contents.get(blob, {header.digest.bytes});
    }
    if (!content || content->blob().size_bytes != header.size_bytes) return not_announced(header.digest);
    if (content->chunks()[header.chunk] != header.chunk_digest)
        return Error(ErrorKind::corrupt, "has another chunk there", header.digest.str());
    ZCDP_CHECK(content->open(*parts_.store, upload_.hold));
    // An earlier upload had brought all of it.
    if (content->is_whole()) ZCDP_CHECK(parts_.long_contents.finish(content));
    return content;
}

Task<Answered<>> ChunkIntake::begin_long() {
    const auto find = [&] { return content_of(header_); };
    ZCDP_CO_TRY(auto content, co_await offload(parts_.pool, find));
    writes_ = false;
    if (content) {
        ZCDP_CO_TRY(writes_, co_await take_turn(content, header_.chunk));
    }
    long_ = std::move(content);
    drops_ = !writes_;
    hash_.reset();
    co_return Answered<>();
}

/// Whether the chunk is this request's to write; not when it is there. Who finds another at it waits for him.
Task<Answered<bool>> ChunkIntake::take_turn(std::shared_ptr<LongContent> content, uint64_t chunk) {
    const Deadline end = Deadline::in_ms(kTurnMs);
    while (true) {
        if (content->has(chunk)) co_return false;
        if (content->begin_write(chunk)) co_return true;
        if (end.passed())
            co_return Refused(Error(ErrorKind::busy, "is being written by another", content->blob().digest.str()));
        co_await sleep_ms(kLookAgainMs);
    }
}

Task<Answered<>> ChunkIntake::add(std::span<const std::byte> bytes) {
    if (drops_) co_return Answered<>();
    while (!bytes.empty()) {
        const auto part = bytes.first(std::min(bytes.size(), kBlockBytes - filled_));
        std::memcpy(block().data() + filled_, part.data(), part.size());
        bytes = bytes.subspan(part.size());
        filled_ += part.size(), got_bytes_ += part.size();
        if (!long_ || (filled_ < kBlockBytes && got_bytes_ < header_.length())) continue;
        const auto write = [&] { return write_block(); };
        ZCDP_CO_CHECK(co_await offload(parts_.pool, write));
    }
    co_return Answered<>();
}

Answered<> ChunkIntake::write_block() {
    const uint64_t at = header_.chunk * kChunkBytes + got_bytes_ - filled_;
    hash_.update(block().first(filled_));
    ZCDP_CHECK(long_->write(at, block().first(filled_)));
    filled_ = 0;
    return got_bytes_ < header_.length() ? Answered<>() : end_long();
}

Answered<> ChunkIntake::end_long() {
    const auto content = std::exchange(long_, nullptr);
    const bool right = hash_.finish() == header_.chunk_digest;
    Answered<> done;
    if (!right) done = not_its_digest(header_.digest);
    else if (auto there = content->chunk_done(header_.chunk); !there) done = std::move(there).error();
    content->end_write(header_.chunk);
    ZCDP_CHECK(done);
    parts_.counts.received_bytes.add(header_.length());
    if (content->is_whole()) ZCDP_CHECK(parts_.long_contents.finish(content));
    return {};
}

Task<Answered<>> ChunkIntake::flush_shorts() {
    if (shorts_.empty()) co_return Answered<>();
    const auto stage = [&] { return stage_shorts(); };
    auto done = co_await offload(parts_.pool, stage);
    shorts_.clear();
    filled_ = 0;
    co_return done;
}

/// What is right before a wrong one is kept.
Answered<> ChunkIntake::stage_shorts() {
    const auto bytes_of = [this](const Short& one) {
        return std::span<const std::byte>(block().subspan(one.at, one.blob.size_bytes));
    };
    std::vector<HashUpdate> updates;
    hashes_.resize(std::max(hashes_.size(), shorts_.size()));
    for (size_t i = 0; i < shorts_.size(); ++i) {
        hashes_[i].reset();
        updates.push_back({&hashes_[i], bytes_of(shorts_[i])});
    }
    update_together(updates);
    const MutexLock one_stages(parts_.one_stages);
    for (size_t i = 0; i < shorts_.size(); ++i) {
        if (hashes_[i].finish() != shorts_[i].blob.digest.bytes) return not_its_digest(shorts_[i].blob.digest);
        ZCDP_CHECK(stage(shorts_[i], bytes_of(shorts_[i])));
    }
    return {};
}

Answered<> ChunkIntake::stage(const Short& content, std::span<const std::byte> bytes) {
    const store::BlobRef& blob = content.blob;
    if (upload_.is_new(blob.digest) && !upload_.take_room(blob.size_bytes)) {
        // What came twice was staged by now, or is none of what was announced.
        ZCDP_CHECK(upload_.commit_staged(true));
        if (!parts_.store->has_blob(blob)) return not_announced(blob.digest);
        return {};
    }
    parts_.counts.received_bytes.add(blob.size_bytes);
    ZCDP_CHECK(upload_.incoming->stage(blob, bytes));
    return {};
}

Task<Answered<>> ChunkIntake::finish() {
    ZCDP_CO_CHECK(co_await flush_shorts());
    const auto commit = [&] { return upload_.commit_staged(false); };
    ZCDP_CO_CHECK(co_await offload(parts_.pool, commit));
    co_return Answered<>();
}

}  // namespace zcdp::datastore
