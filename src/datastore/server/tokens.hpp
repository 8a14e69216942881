// The tokens that count, as a file has them: one a line, so that an old and a new one can count for a while. The file
// is read again when asked to.
//
// Thread rule: any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "zcdp/base/digest.hpp"
#include "zcdp/base/error.hpp"
#include "zcdp/base/fs.hpp"
#include "zcdp/base/guarded.hpp"

namespace zcdp::datastore {

/// The token of an Authorization header, "Bearer TOKEN"; "" when it is none. Pure.
std::string_view bearer_of(std::string_view authorization);

class Tokens {
  public:
    enum class Verdict { counts, missing, wrong };
    /// Of the file `path`; "": everybody counts. Errors: usage (no token in it), not_found, denied.
    static Result<std::unique_ptr<Tokens>> read(const std::string& path, Fs& fs);
    /// In a time that says nothing of the tokens.
    Verdict check(std::string_view authorization) const;
    /// What the file has now; on an error what it had before counts.
    Result<> read_again();

  private:
    Tokens(std::string path, Fs& fs) : path_(std::move(path)), fs_(fs) {}
    const std::string path_;
    Fs& fs_;
    mutable Mutex mutex_;
    std::vector<Sha256Bytes> digests_ ZCDP_GUARDED_BY(mutex_);  ///< of the tokens: all have one length
};

}  // namespace zcdp::datastore
