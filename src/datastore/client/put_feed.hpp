// Says piece by piece what the server lacks of a list: asks it for some thousands of contents at a time, packs what is
// missing, and hands out bodies to whoever sends them.
//
// Thread rule: belongs to its loop. One next() at a time.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "src/datastore/client/put_pack.hpp"
#include "zcdp/base/tasks.hpp"
#include "zcdp/sync/sync.hpp"

namespace zcdp::datastore {

class Feed {
  public:
    /// Sends a body of records, and gives the bits of the answer.
    using Ask = std::function<Task<Result<std::string>>(std::string records)>;
    /// `list`, `pool` and `progress` outlive it; `progress` counts what has to be sent at the most.
    Feed(const PutList& list, Fs& fs, asio::thread_pool& pool, Ask ask, sync::Progress& progress);

    /// The pieces of the next request; empty: there is no more. Errors: those of `ask`; corrupt.
    Task<Result<Pieces>> next();

  private:
    struct Batch {
        std::vector<std::shared_ptr<const PutEntry>> files;
        std::string records;
        uint64_t chunks = 0, held_bytes = 0;
    };
    Result<Batch> read();
    void pass_over(const PutEntry& file);
    void pack(const Batch& batch, const MissingBits& missing);

    const PutList& list_;
    asio::thread_pool& pool_;
    const Ask ask_;
    sync::Progress& progress_;
    PutListReader reader_;
    uint64_t read_ = 0;  ///< entries of the list
    MetContents met_;
    Packer packer_;
    std::deque<Pieces> ready_;
    bool ended_ = false;
};

}  // namespace zcdp::datastore
