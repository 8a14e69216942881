#include "src/datastore/client/batch_request.hpp"

#include "src/datastore/client/again.hpp"
#include "zcdp/origin/metrics.hpp"

namespace zcdp::datastore {
namespace {

/// Of the wishes from `next` on, which is moved on past those that are known.
Task<Result<>> receive(net::Response& answer, const std::vector<BatchWish>& wishes, size_t& next,
                       const BatchKnown& known) {
    std::vector<uint64_t> sizes;
    for (size_t i = next; i < wishes.size(); ++i) sizes.push_back(wishes[i].size_bytes);
    BatchAnswer files(std::move(sizes));
    for (const size_t first = next; !files.is_whole();) {
        ZCDP_CO_TRY(const size_t got, co_await answer.read_some(files.room()));
        if (got == 0) co_return Error(ErrorKind::unreachable, "the answer ended early", wishes[next].path);
        auto fits = files.came(got);
        for (; next < first + files.known(); ++next) {
            if (const auto file = files.file(next - first)) known(next, *file);
            else known(next, Error(ErrorKind::not_found, "is not there", wishes[next].path));
        }
        if (!fits) co_return std::move(fits).error().about(wishes[next].path);
    }
    // Where no length is stated, the end has to be read for the connection to be of use again.
    std::byte end[1];
    if (!answer.body_bytes()) (void)co_await answer.read_some(end);
    co_return Result<>();
}

}  // namespace

Task<Result<>> ask_batch(Client& client, BatchDoor door, std::vector<BatchWish> wishes, BatchKnown known,
                         Machine machine) {
    size_t next = 0;
    for (uint32_t attempt = 1; next < wishes.size(); ++attempt) {
        net::Request request;
        request.method = "POST", request.target = door.target, request.silence_ms = kReadSilenceMs;
        for (size_t i = next; i < wishes.size(); ++i) request.body.append(wishes[i].path).append("\n");
        machine.metrics.counter(origin::metric::requests).add();
        ZCDP_CO_TRY(const auto answer, co_await client.send(std::move(request), /*may_repeat=*/true));
        if (answer->header("zcdp-snapshot") != door.snapshot)
            co_return Error(ErrorKind::source_changed, "comes from another snapshot than was listed",
                            wishes[next].path);
        const auto received = co_await receive(*answer, wishes, next, known);
        if (received) continue;
        const bool again = co_await pause_before_again(machine, received.error(), attempt);
        if (!again) co_return received;
    }
    co_return Result<>();
}

}  // namespace zcdp::datastore
