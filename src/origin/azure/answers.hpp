// What Azure Blob Storage answers (learn.microsoft.com/rest/api/storageservices/blob-service-rest-api). Pure.
#pragma once

#include <string>
#include <string_view>

#include "src/origin/remote/xml_page.hpp"

namespace zcdp::origin::azure {

/// The code is in x-ms-error-code (also of a HEAD) or in <Error><Code>, <Message>. One that came as a success has the
/// status that its code has else.
struct ErrorAnswer {
    int status = 0;
    std::string code, message;
    bool came_as_success = false;
};
ErrorAnswer parse_error(int status, std::string_view code_header, std::string_view body);
/// Whether a header of the request is more than this service knows: azurite's word for it, and the service's own.
bool is_unknown_feature(const ErrorAnswer& answer);
RetryDecision::Action action_of(const ErrorAnswer& answer);
Error error_of(const ErrorAnswer& answer, const std::string& object);

/// A Content-MD5 (base64); kind none when it is none.
ObjectChecksum md5_of(std::string_view base64);

/// An x-ms-content-crc64: CRC-64/NVME, its eight bytes from the lowest, in base64. Kind none when there is none.
/// Errors: failed.
Result<ObjectChecksum> crc64_of(std::string_view base64);

/// One answer of List Blobs, parsed as its bytes arrive. Directories of a hierarchical namespace (ResourceType
/// directory, or the hdi_isfolder of Hadoop's drivers) become directory entries.
class ListParser final : public XmlPageParser {
  public:
    Result<ListPage> finish() override;

  private:
    Root root_of(std::string_view name) const override;
    void start(std::string_view name) override;
    Result<> end(std::string_view name) override;
    Result<> blob_field(std::string_view name);
    Result<> end_of_blob();
    Result<std::string> decoded_name();

    enum class Inside { nothing, blob, prefix };
    Inside inside_ = Inside::nothing;
    bool name_encoded_ = false, size_seen_ = false, directory_ = false, marker_ = false;
    Entry entry_;
};

}  // namespace zcdp::origin::azure
