// One answer of ListObjectsV2, parsed straight into entries as its bytes arrive.
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

  private:
    Result<> run();
    Result<> bad(std::string_view what) const;
    void start(std::string_view name);
    Result<> end(std::string_view name);
    Result<> end_of_object();
    Result<> root_field(std::string_view name);
    Result<> object_field(std::string_view name);
    Result<> decode_keys();

    enum class Inside { root, object, prefix, other };
    XmlReader reader_;
    ListPage page_;
    Inside inside_ = Inside::other;
    std::string text_;
    Entry entry_;
    bool key_seen_ = false, size_seen_ = false, url_encoded_ = false;
};

}  // namespace zcdp::origin::s3
