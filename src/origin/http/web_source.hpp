// What all loops that read one web server's files share. Thread rule: any thread, once configured.
#pragma once

#include <atomic>
#include <string>
#include <unordered_map>

#include "src/origin/remote/remote.hpp"

#include "zcdp/base/guarded.hpp"
#include "zcdp/base/ids.hpp"

namespace zcdp::origin::http {

/// What the source's URL names.
enum class Kind {
    file,   ///< one file
    index,  ///< a folder whose pages list what is in it
    sums,   ///< a list of digests (SHA256SUMS); the files lie beside it
    tree,   ///< a repository in Hugging Face's layout
};

/// What somebody states of a file besides what its server says.
struct Claim {
    std::string sha256;  ///< raw; "" when it is not known
    Tag tag;             ///< kind tree alone: of the listing
};
using Claims = std::unordered_map<std::string, Claim>;

/// What an hf:// source names.
struct Repository {
    std::string id;        ///< "models/ORG/NAME", "datasets/NAME"
    std::string revision;  ///< as it is written; "main" without one
    std::string folder;    ///< "" or ends in '/'
};
/// hf://[models/|datasets/|spaces/]ORG/NAME[@REVISION][/FOLDER]; hf://[models/|datasets/]NAME[@REVISION[/FOLDER]].
/// Pure. Errors: usage.
Result<Repository> parse_repository(const std::string& source);

class WebSource final : public Remote {
  public:
    WebSource(OriginOptions options, Machine machine) : Remote("", std::move(options), machine) {}
    /// From http[s]://HOST/PATH. Errors: usage.
    Result<> configure_url(const std::string& source);
    /// From hf://…, as parse_repository() takes it. Errors: usage.
    Result<> configure_repository(const std::string& source);

    Kind kind = Kind::file;
    net::Endpoint endpoint;
    std::string base;                            ///< kind tree: the path that the hub lies below; "" or "/a/b"
    std::string source;                          ///< for messages; without a query, which may hold a secret
    std::string authorization;                   ///< the header's value; "" for none
    mutable std::atomic<bool> bare_tags{false};  ///< the server writes its ETags without quotes, and compares them so
    std::string name;  ///< kind file: what it is called in the dataset; kind sums: of the list itself
    std::string repository, revision, folder;  ///< kind tree; as in Repository

    /// Path and query on the wire of the file `key`.
    std::string target_of(const std::string& key) const;
    /// The digest of every file is known before it is read: that decides what it is, not what a server calls it.
    bool digest_decides() const { return kind == Kind::sums || (kind == Kind::file && !options.sha256.empty()); }
    /// kind tree: the commit that the revision stands for, once it is known; "" before.
    std::string commit() const;
    void set_commit(std::string commit);
    void set_claims(Claims claims);
    bool has_claims() const;
    Claim claim_of(const std::string& key) const;

  private:
    Result<> authorize_url();
    Result<> authorize_repository();
    /// From the file that NETRC names, else ~/.netrc. Errors: usage: the one named is not there.
    Result<> authorize_by_netrc();
    std::string base_path_;    ///< encoded; ends in '/'
    std::string file_target_;  ///< kind file: path and query as given
    mutable Mutex mutex_;
    std::string commit_ ZCDP_GUARDED_BY(mutex_);
    Claims claims_ ZCDP_GUARDED_BY(mutex_);
    bool has_claims_ ZCDP_GUARDED_BY(mutex_) = false;
};

}  // namespace zcdp::origin::http
