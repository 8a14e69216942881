// One answer of ListObjectsV2, or of the first ListObjects from a service that knows no other, parsed straight into entries as
// its bytes arrive.
#pragma once

#include <atomic>
#include <string>
#include <string_view>
#include <vector>

#include "src/origin/remote/protocol.hpp"
#include "src/origin/remote/xml.hpp"

namespace zcdp::origin::s3 {

class ListParser final : public PageParser {
  public:
    /// `by_marker` becomes true when the page is one of the first ListObjects that goes on: the next is asked for by a marker.
    explicit ListParser(std::atomic<bool>* by_marker = nullptr) : by_marker_(by_marker) {}
    Result<> feed(std::string_view bytes) override;
    Result<ListPage> finish() override;

  private:
    Result<> run();
    Result<> bad(std::string_view what) const;
    void start(std::string_view name);
    Result<> end(std::string_view name);
    Result<> end_of_object();
    Result<> root_field(std::string_view name);
    Result<> truncated_field();
    Result<> object_field(std::string_view name);
    Result<> decode_keys();
    void go_on_by_marker();

    enum class Inside { root, object, prefix, other };
    XmlReader reader_;
    ListPage page_;
    Inside inside_ = Inside::other;
    std::string text_;
    Entry entry_;
    std::atomic<bool>* const by_marker_;
    std::string next_marker_;
    bool key_seen_ = false, size_seen_ = false, url_encoded_ = false, truncated_seen_ = false, marker_seen_ = false;
};

}  // namespace zcdp::origin::s3
