// A source's contents one after the other, read ahead by several requests. Thread rule: blocks the calling thread.
#pragma once

#include <memory>
#include <stop_token>

#include "src/datastore/client/source.hpp"
#include "zcdp/datastore/get.hpp"
#include "zcdp/sync/filter.hpp"

namespace zcdp::datastore {

struct Streamed {
    uint64_t files = 0, bytes = 0;
};

/// As a tar stream, or `bare`: the bytes alone. `take` is called from one thread at a time. Errors: as get_stream().
Result<Streamed> stream_source(std::shared_ptr<Source> source, const ServerAccess& access, const sync::Filter& filter,
                               bool bare, Machine machine, sync::Progress& progress, const ByteSink& take,
                               std::stop_token stop);

}  // namespace zcdp::datastore
