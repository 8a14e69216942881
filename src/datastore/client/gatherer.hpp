// Whole short files that are asked for at about the same time become one request: who asks first asks for all who have
// come until it is sent, and for those who come while others are under way the next one does. So a request has as many
// files as there are readers, and nobody waits for more of them.
//
// Thread rule: one loop. Who asks for others does so in its own task: nothing is spawned. Ownership: it outlives its
// tasks.
#pragma once

#include <deque>
#include <memory>
#include <string>

#include "src/datastore/client/batch_request.hpp"
#include "zcdp/base/machine.hpp"
#include "zcdp/datastore/client.hpp"

namespace zcdp::datastore {

class Gatherer {
  public:
    /// Longer ones are better read straight into their place.
    static constexpr uint64_t kFileBytesMost = 128 << 10;

    /// `door` is that of one key's version.
    Gatherer(asio::any_io_executor executor, std::shared_ptr<Client> client, BatchDoor door, Machine machine)
        : executor_(executor), client_(std::move(client)), door_(std::move(door)), machine_(machine) {}
    Gatherer(const Gatherer&) = delete;
    Gatherer& operator=(const Gatherer&) = delete;

    /// All of a file of at most kFileBytesMost, which is tried as often as makes sense. Errors: not_found: the file, or
    /// the version; source_changed: it has another size.
    Task<Result<BatchFile>> read(std::string path, uint64_t size_bytes);
    /// Whether nobody reads.
    bool is_idle() const { return readers_ == 0; }

  private:
    struct Wanted;
    class Place;
    class Batch;
    Task<Result<>> ask_for(Batch& batch);
    void take(Batch& batch);
    void choose_next();

    asio::any_io_executor executor_;
    std::shared_ptr<Client> client_;
    const BatchDoor door_;
    Machine machine_;
    std::deque<std::shared_ptr<Wanted>> waiting_;
    size_t readers_ = 0;
    unsigned asking_ = 0;     ///< requests under way, or about to be
    bool gathering_ = false;  ///< one of them has not been sent: who comes may join
};

}  // namespace zcdp::datastore
