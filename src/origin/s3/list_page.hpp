// One answer of ListObjectsV2 or ListObjects, parsed straight into entries as its bytes arrive.
//
// Lenient about what services write otherwise: no KeyCount, unknown elements, tags without quotes or none at all (the
// time stands for it, time_tag()), keys that are not encoded though it was asked for, no token (the last key stands for
// it).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "src/origin/remote/protocol.hpp"
#include "src/origin/remote/xml.hpp"

namespace zcdp::origin::s3 {

class ListParser final : public PageParser {
  public:
    Result<> feed(std::string_view bytes) override;
    Result<ListPage> finish() override;
    std::string_view refusal() const override { return inside_ == Inside::refusal ? beginning_ : std::string_view(); }

  private:
    Result<> run();
    Result<> bad(std::string_view what) const;
    void start(std::string_view name);
    Result<> end(std::string_view name);
    Result<> end_of_object();
    Result<> root_field(std::string_view name);
    Result<> truncated_field();
    Result<> object_field(std::string_view name);
    void decode_keys();
    void finish_token();

    enum class Inside { root, object, prefix, refusal, other };
    XmlReader reader_;
    ListPage page_;
    Inside inside_ = Inside::other;
    std::string text_, next_marker_, modified_;
    std::string beginning_;  ///< what was fed, until it is known to be a page
    Entry entry_;
    bool key_seen_ = false, size_seen_ = false, url_encoded_ = false, truncation_said_ = false;
};

}  // namespace zcdp::origin::s3
