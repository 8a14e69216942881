// What pages of a listing in XML have in common, whoever sends them: bytes become elements, an error instead of a page
// is kept to be read as one, a page is bounded. The elements themselves are the service's (s3/list_page,
// azure/answers). Thread rule: a value of one thread.
#pragma once

#include <string>
#include <string_view>

#include "src/origin/remote/protocol.hpp"
#include "src/origin/remote/xml.hpp"

namespace zcdp::origin {

class XmlPageParser : public PageParser {
  public:
    Result<> feed(std::string_view bytes) final;
    std::string_view refusal() const final { return root_ == Root::refusal ? beginning_ : std::string_view(); }

  protected:
    /// What the document is, by its root element.
    enum class Root { none, page, refusal, other };
    virtual Root root_of(std::string_view name) const = 0;
    /// An element of a page begins; the text before it is forgotten.
    virtual void start(std::string_view name) = 0;
    /// It ends; text_ is what it said. Errors: refused.
    virtual Result<> end(std::string_view name) = 0;

    /// What is left to read, after the last byte. Errors: refused.
    Result<> read_rest();
    /// Errors: refused: more than any service puts into a page.
    Result<> add_prefix(std::string prefix);
    Result<> add_entry(Entry entry);
    static Error bad(std::string_view what);

    XmlReader reader_;
    Root root_ = Root::none;
    ListPage page_;
    std::string text_;

  private:
    Result<> run();
    void start_any(std::string_view name);

    std::string beginning_;  ///< what was fed, until it is known to be a page
};

}  // namespace zcdp::origin
