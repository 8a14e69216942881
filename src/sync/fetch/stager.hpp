// Small files of one loop on their way to the store: fetched contents wait here in their buffers and are written in
// batches on the disk pool, so that one switch of threads serves many files.
//
// Thread rule: belongs to its loop.
#pragma once

#include <vector>

#include "src/sync/fetch/job.hpp"
#include "zcdp/transfer/buffers.hpp"

namespace zcdp::sync {

class Stager {
  public:
    Stager(FetchJob& job, asio::any_io_executor executor) : job_(job), wake_(executor) {}

    /// A verified content of `size_bytes` in `buffer` (empty for the empty file).
    void add(SpoolEntry record, Digest digest, transfer::Buffer buffer);
    /// Nothing more comes: run() ends once the rest is written.
    void close();
    Task<> run();

  private:
    struct Item {
        SpoolEntry record;
        Digest digest;
        transfer::Buffer buffer;
    };
    Result<> write(std::vector<Item>& batch);
    FetchJob& job_;
    asio::steady_timer wake_;
    std::vector<Item> waiting_;
    bool closed_ = false;
};

}  // namespace zcdp::sync
