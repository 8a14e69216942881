#include "src/datastore/server/missing.hpp"

#include <algorithm>

#include "src/datastore/server/chunk_copies.hpp"

namespace zcdp::datastore {
namespace {

constexpr uint64_t kChunksAtOnce = 4'096;  ///< looked up in one go

}  // namespace

void Missing::add_bits(uint64_t count, bool missing) {
    for (const uint64_t end = count_ + count; count_ < end; ++count_) {
        if (count_ % 8 == 0) bits_.push_back(0);
        if (missing) bits_.back() = static_cast<char>(bits_.back() | 1 << count_ % 8);
    }
}

bool Missing::is_missing(const ContentRecord& record) {
    if (record.size_bytes == 0) return false;
    return !parts_.store->hold_blob(*upload_->hold, {record.digest, record.size_bytes, record.executable});
}

void Missing::look(std::span<const ContentRecord> contents) {
    for (const ContentRecord& record : contents) {
        const uint64_t first_bit = count_;
        const bool missing = is_missing(record);
        add_bits(record.chunk_total(), missing);
        if (!missing) continue;
        if (record.digest.kind == DigestKind::sha256) {
            missing_.bytes += record.size_bytes, ++missing_.files;
            continue;
        }
        auto content = upload_->find_long(record.digest);
        const uint64_t left =
            parts_.store->hold_partial(*upload_->hold, store::ByDigest{record.digest}, record.size_bytes);
        if (!content) {
            content = parts_.long_contents.get({record.digest, record.size_bytes, record.executable}, record.chunks);
            upload_->keep_long(content);
            missing_.bytes += record.size_bytes - left, ++missing_.files;
            long_bytes_ += record.size_bytes - left;
        }
        long_.push_back({first_bit, std::move(content), left > 0});
    }
}

Answered<> Missing::reserve_now(const Room& room) {
    if (auto within = parts_.quota.take(room.bytes, upload_->key); !within)
        return Refused(kOverQuota, std::move(within).error());
    if (auto there = parts_.store->reserve(room.bytes, room.files, upload_->hold); !there) {
        parts_.quota.give_back(room.bytes);
        return std::move(there).error();
    }
    upload_->reserved(room);
    return {};
}

Answered<> Missing::reserve() {
    const Room room = upload_->to_reserve(missing_);
    if (room.bytes > 0 || room.files > 0) {
        auto done = reserve_now(room);
        if (!done && done.error().error.kind() == ErrorKind::no_space) {
            parts_.make_room();
            done = reserve_now(room);
        }
        ZCDP_CHECK(done);
    }
    if (!upload_->take_room(long_bytes_))
        return Error(ErrorKind::refused, "asks for more than it began with", upload_->key);
    return {};
}

/// All before the chunk that is looked at are decided.
uint64_t Missing::decided_bits() const { return at_ == long_.size() ? count_ : long_[at_].first_bit + at_chunk_; }

Task<Result<>> Missing::send(net::server::BodySink& sink) {
    uint64_t sent = 0;
    while (sent < bits_.size()) {
        const auto decide = [this] { return decide_some(); };
        if (at_ < long_.size()) ZCDP_CO_CHECK(co_await offload(parts_.pool, decide));
        const uint64_t known = at_ == long_.size() ? bits_.size() : decided_bits() / 8;
        if (known == sent) continue;
        ZCDP_CO_CHECK(co_await sink.write(std::string_view(bits_).substr(sent, known - sent)));
        sent = known;
    }
    co_return Result<>();
}

/// Goes on with one content until it is through, or has cost some time.
Result<> Missing::decide_some() {
    const Long& one = long_[at_];
    LongContent& content = *one.content;
    if (one.was_begun || content.is_open()) ZCDP_CHECK(content.open(*parts_.store, upload_->hold));
    ChunkCopies copies(parts_, content);
    const uint64_t first = at_chunk_, end = std::min(content.chunks().size(), first + kChunksAtOnce);
    uint64_t chunk = first;
    for (; chunk < end && copies.size() < ChunkCopies::kMost; ++chunk)
        if (!content.has(chunk)) copies.add(chunk);
    if (copies.size() > 0) {
        ZCDP_CHECK(content.open(*parts_.store, upload_->hold));
        ZCDP_CHECK(copies.run());
    }
    for (uint64_t done = first; done < chunk; ++done)
        if (content.has(done)) clear_bit(one.first_bit + done);
    at_chunk_ = chunk;
    if (chunk < content.chunks().size()) return {};
    if (content.is_whole()) ZCDP_CHECK(parts_.long_contents.finish(one.content));
    ++at_, at_chunk_ = 0;
    return {};
}

}  // namespace zcdp::datastore
