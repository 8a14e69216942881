// One upload: begins it, asks what is missing, sends that over several connections at once, and commits. What the
// server has forgotten meanwhile (it was restarted, or the upload was left alone for too long) is begun again.
//
// Thread rule: run_upload() blocks the calling thread; it makes a loop and a small pool, which have ended when it
// returns.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "src/datastore/client/put_manifest.hpp"
#include "zcdp/datastore/put.hpp"

namespace zcdp::datastore {

struct Uploaded {
    uint64_t version = 0;
    bool unchanged = false;
    uint64_t bytes_sent = 0, chunks_sent = 0;
};

using MakeClient = std::function<Result<std::unique_ptr<Client>>(asio::any_io_executor executor)>;

/// With a dry run nothing is sent, and `version` is the key's present one. At most `connections` requests at once.
/// Errors: source_changed: a file is not what was hashed, and `changed` is true: all is to be put again; or another
/// wrote the key; and those of Client.
Result<Uploaded> run_upload(const MakeClient& make_client, uint32_t connections, const PutOptions& options,
                            const PutSource& source, const Prepared& prepared, Machine machine,
                            sync::Progress& progress, bool& changed, std::stop_token stop);

}  // namespace zcdp::datastore
