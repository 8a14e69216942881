// A pull parser for the XML that object stores send: elements, text, the five named entities and numeric ones. Bytes
// are fed as they come off the wire; what cannot be decided yet is asked for as `need_more`.
//
// Lenient where nothing is said: a byte order mark, white space before the declaration, comments and processing
// instructions are passed over; they, and CDATA, cut a text into several. Hostile input: no document type, no entity of
// its own; depth, text, tag and document sizes are bounded, and so is the memory (one token beside what was fed).
// Thread rule: a value of one thread. name() and text() hold until the next call of next() or feed().
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "zcdp/base/error.hpp"

namespace zcdp::origin {

inline constexpr size_t kXmlDepthMax = 8;
inline constexpr size_t kXmlTokenBytesMax = 16u << 10;
inline constexpr size_t kXmlDocumentBytesMax = 16u << 20;

class XmlReader {
  public:
    enum class Event {
        need_more,  ///< feed() or finish() first
        start,      ///< name()
        end,        ///< name()
        text,       ///< text(); some of it between two tags
        done,       ///< the root is closed and finish() was called
        bad,        ///< problem(); stays bad
    };

    void feed(std::string_view bytes);
    /// No more bytes will come.
    void finish() { finished_ = true; }

    Event next();

    /// Without a namespace prefix.
    std::string_view name() const { return name_; }
    std::string_view text() const { return text_; }
    /// What follows the name in the start tag that was just read: attributes, as they are written.
    std::string_view attributes() const { return attributes_; }
    /// Elements that are open; the one just started is counted, the one just ended is not.
    size_t depth() const { return depth_; }
    const std::string& problem() const { return problem_; }

  private:
    Event step();
    Event pass_over();
    Event fail(std::string problem);
    Event incomplete(const char* what);
    Event read_text();
    Event read_tag();
    Event read_declaration();
    Event read_other();
    Event open(std::string_view tag);
    Event close(std::string_view tag);
    bool decode_entities(std::string_view raw);

    std::string buffer_;
    size_t at_ = 0;  ///< of the first byte that no event has used
    size_t document_bytes_ = 0;
    bool finished_ = false, begun_ = false, root_seen_ = false, end_pending_ = false, passed_over_ = false;
    size_t depth_ = 0;
    std::array<std::string, kXmlDepthMax> open_;
    std::string_view name_, text_, attributes_;
    std::string decoded_, problem_;
};

/// Hands the events that are there to `start(name)`, `text(text)` and `end(name)`, of which the last may fail, until
/// more bytes are needed or the document is over. Errors: end's; refused (malformed).
template <class Start, class Text, class End>
Result<> read_events(XmlReader& reader, Start start, Text text, End end) {
    while (true) {
        switch (reader.next()) {
            case XmlReader::Event::start: start(reader.name()); break;
            case XmlReader::Event::text: text(reader.text()); break;
            case XmlReader::Event::end: ZCDP_CHECK(end(reader.name())); break;
            case XmlReader::Event::need_more:
            case XmlReader::Event::done: return {};
            case XmlReader::Event::bad: return Error(ErrorKind::refused, "malformed listing: " + reader.problem());
        }
    }
}

/// The leaf elements of a small document, as (name, text) in order; nested names are not told apart.
Result<std::vector<std::pair<std::string, std::string>>> xml_leaves(std::string_view document);

}  // namespace zcdp::origin
