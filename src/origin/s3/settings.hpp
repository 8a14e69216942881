// What the user's environment and AWS files say: which profile, where services are, how the bucket is addressed.
// Variables go before the profile; what is named (a profile, a file, a section) and is not there is an error, never
// passed over. Thread rule: values; they are not changed once read.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "src/origin/s3/profile.hpp"
#include "zcdp/origin/options.hpp"

namespace zcdp::origin::s3 {

class AwsSettings {
  public:
    /// Reads the files that $AWS_CONFIG_FILE and $AWS_SHARED_CREDENTIALS_FILE name, else those in ~/.aws, which need
    /// not be there. Where keys are given by other means, a file that is named and missing is only warned of. Errors:
    /// usage (a file that is none, a profile that is named and in neither), and what the system says of a named file.
    static Result<std::shared_ptr<const AwsSettings>> read(const OriginOptions& options, const Machine& machine);

    AwsFiles files;
    std::string profile_name = "default";
    bool profile_is_named = false;   ///< by --profile or a variable
    bool profile_is_a_flag = false;  ///< by --profile

    /// A setting of the profile, without a comment behind it; "" when it has none.
    std::string setting(const std::string& name) const;
    /// $VARIABLE without the space around it, else the profile's setting.
    std::string value(const char* variable, const std::string& name) const;
    /// The same for true and false.
    bool is_true(const char* variable, const std::string& name) const;
    /// The configured URL of `service` ("s3", "sts", "sso"): its own variable, for all but "sso" AWS_ENDPOINT_URL, the
    /// profile's [services NAME], for all but "sso" the profile's endpoint_url; "" when there is none, or when none is
    /// to be used (ignore_configured_endpoint_urls). Errors: usage.
    Result<std::string> endpoint_url(const std::string& service) const;
    /// "auto", "path", "virtual" of the profile's s3 block. Errors: usage.
    Result<std::string> addressing_style() const;
    bool dual_stack() const;
    bool fips() const { return is_true("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint"); }
    std::string region() const;
    /// Attempts per request, the first included. Errors: usage.
    Result<std::optional<uint32_t>> max_attempts() const;

  private:
    Result<> load(const OriginOptions& options, const Machine& machine);
    Result<std::string> services_url(const std::string& service) const;
    std::string variable(const char* name) const;

    std::string (*environment_)(const char* name) = nullptr;
    Section profile_;
};

}  // namespace zcdp::origin::s3
