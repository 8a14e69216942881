#include "zcdp/swarm/share.hpp"

#include <utility>

#include "zcdp/base/assert.hpp"
#include "zcdp/base/bell.hpp"

namespace zcdp::swarm {

Result<std::unique_ptr<PieceReader>> PieceBytes::open_manifest() const {
    return Error(ErrorKind::not_found, "is no snapshot yet");
}

Share::Share(PieceTable table, News news, std::shared_ptr<const PieceBytes> bytes)
    : table_(std::move(table)),
      bytes_(std::move(bytes)),
      changed_(std::make_unique<Bell>()),
      news_(std::move(news)),
      sent_(table_.pieces()) {}

Share::~Share() = default;

bool Share::has(uint64_t piece) const {
    const MutexLock lock(mutex_);
    return news_.have.has(piece);
}

uint32_t Share::count_sent(uint64_t piece) {
    const MutexLock lock(mutex_);
    return sent_.at(piece)++;
}

News Share::news() const {
    const MutexLock lock(mutex_);
    return news_;
}

void Share::tell(const HaveMap& have, const HaveMap& there, const HaveMap& drawing) {
    ZCDP_ASSERT(have.pieces() == table_.pieces());
    {
        const MutexLock lock(mutex_);
        if (news_.have == have && news_.there == there && news_.drawing == drawing) return;
        news_ = {news_.version + 1, have, there, drawing, news_.load};
    }
    changed_->ring();
}

void Share::tell_load(uint64_t pieces_asked) {
    {
        const MutexLock lock(mutex_);
        if (std::exchange(news_.load, pieces_asked) == pieces_asked) return;
        ++news_.version;
    }
    changed_->ring();
}

void Share::close() {
    {
        const MutexLock lock(mutex_);
        is_closed_ = true;
    }
    changed_->ring();
}

bool Share::is_closed() const {
    const MutexLock lock(mutex_);
    return is_closed_;
}

Task<std::optional<News>> Share::news_after(uint64_t version, uint64_t wait_ms) {
    const Deadline end = Deadline::in_ms(wait_ms);
    bool has_waited = false;
    while (true) {
        const uint64_t seen = changed_->rings();
        News now = news();
        if (now.version != version) {
            if (!has_waited) co_return now;
            co_await sleep_ms(kTogetherMs + News::encoded_bytes(table_.pieces()) / kTogetherBytes);
            co_return news();
        }
        if (end.passed() || is_closed()) co_return std::nullopt;
        has_waited = true;
        co_await changed_->wait(seen, end.left_ms() + 1);
    }
}

}  // namespace zcdp::swarm
