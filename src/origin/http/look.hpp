// What a web server says of one file before it is read. Thread rule: belongs to its loop.
#pragma once

#include <memory>
#include <string>

#include "src/origin/http/web_source.hpp"
#include "src/origin/remote/requester.hpp"

namespace zcdp::origin::http {

/// What a listing needs: where to send, and what all loops know.
struct Surroundings {
    std::shared_ptr<WebSource> shared;
    std::shared_ptr<Requester> requester;
};

/// A page, and where it came from in the end.
struct Page {
    std::string body, content_type, link, url;
    bool is_cut = false;  ///< there is more of it
};

/// `target`: path and query on the source's own host. `key`: what the page is of, for errors.
Task<Result<Page>> fetch_page(Surroundings around, std::string target, std::string key);

struct Looked {
    ObjectInfo info;
    bool is_folder = false;  ///< then `info` says nothing
};

/// HEAD; where that is refused or states no length a GET of one byte; where that states none either, the whole is read
/// once and counted, if its end can be told from a cut. With `may_be_folder` a name that is redirected to itself with a
/// '/', or that answers an index of its own, is a folder. Errors: also refused: a page to log in at, in place of the
/// file.
Task<Result<Looked>> look(Surroundings around, std::string key, bool may_be_folder);

}  // namespace zcdp::origin::http
