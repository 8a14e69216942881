// One answer of ListObjectsV2 or ListObjects, parsed straight into entries as its bytes arrive.
//
// Lenient about what services write otherwise: no KeyCount, unknown elements, tags without quotes or none at all (the
// time stands for it, time_tag()), keys that are not encoded though it was asked for, no token (the last key stands for
// it).
#pragma once

#include <string>
#include <string_view>

#include "src/origin/remote/xml_page.hpp"

namespace zcdp::origin::s3 {

class ListParser final : public XmlPageParser {
  public:
    Result<ListPage> finish() override;

  private:
    Root root_of(std::string_view name) const override;
    void start(std::string_view name) override;
    Result<> end(std::string_view name) override;
    Result<> end_of_object();
    Result<> root_field(std::string_view name);
    Result<> truncated_field();
    Result<> object_field(std::string_view name);
    void decode_keys();
    void finish_token();

    enum class Inside { root, object, prefix };
    Inside inside_ = Inside::root;
    std::string next_marker_, modified_;
    Entry entry_;
    bool key_seen_ = false, size_seen_ = false, url_encoded_ = false, truncation_said_ = false;
};

}  // namespace zcdp::origin::s3
