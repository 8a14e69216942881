// What matters of an HTML page that may list a folder: its links and what it calls itself, as browsers read them. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "zcdp/base/error.hpp"

namespace zcdp::origin::http {

struct HtmlLink {
    std::string_view href;  ///< as it is written
    std::string_view text;  ///< what follows the tag, the first 100 bytes
};

/// Views into the page's bytes.
struct HtmlPage {
    std::vector<HtmlLink> links;
    std::string_view base;  ///< <base href>, as it is written
    std::string charset;    ///< of <meta>, in small letters
    std::string heading;    ///< of <title>, <h1> and <h2>, in small letters
    bool has_text = false;  ///< there is more than tags
    bool has_pre = false;
    bool has_password = false;  ///< a field to type one into
};

/// Comments, scripts and styles are left out. `cut`: the page's end is missing. Errors: refused: it ends within a tag
/// or a comment; over 1,000,000 links.
Result<HtmlPage> parse_html(std::string_view body, bool cut = false);

/// An attribute's value with its character references undone: by number, and by the names of HTML 2. `charset`: how the
/// page says that it is encoded; Latin-1 becomes UTF-8, all else stays as it is.
std::string attribute_text(std::string_view attribute, std::string_view charset);

/// The charset of a Content-Type, in small letters; "" when it has none.
std::string charset_of(std::string_view content_type);

}  // namespace zcdp::origin::http
