#include "src/sync/fetch/stager.hpp"

#include <boost/asio/redirect_error.hpp>

namespace zcdp::sync {

void Stager::add(SpoolEntry record, Digest digest, transfer::Buffer buffer) {
    waiting_.push_back({std::move(record), digest, std::move(buffer)});
    if (waiting_.size() == 1) wake_.cancel();
}

void Stager::close() {
    closed_ = true;
    wake_.cancel();
}

/// On the disk pool. The batch is only read: its buffers go back to their pool on the loop.
Result<> Stager::write(std::vector<Item>& batch) {
    for (Item& item : batch) {
        const origin::Entry& entry = item.record.entry;
        const auto content = item.buffer.bytes().first(entry.size_bytes);
        if (auto staged = job_.incoming.stage({item.digest, entry.size_bytes, entry.executable}, content); !staged)
            return std::move(staged).error().about(job_.name(entry.path));
        job_.committer.add({job_.key(entry.path), entry.tag, entry.size_bytes, item.digest});
    }
    return {};
}

Task<> Stager::run() {
    std::vector<Item> batch;
    while (true) {
        if (waiting_.empty()) {
            if (closed_) co_return;
            wake_.expires_at(asio::steady_timer::time_point::max());
            boost::system::error_code woken;
            co_await wake_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
            continue;
        }
        batch.swap(waiting_);
        auto written = co_await offload(job_.disk, [this, &batch] { return write(batch); });
        if (!written) job_.fail(std::move(written).error());
        batch.clear();
        if (job_.ended() && !written) waiting_.clear();
    }
}

}  // namespace zcdp::sync
