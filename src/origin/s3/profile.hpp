// The AWS shared config and credentials files (docs.aws.amazon.com/sdkref/latest/guide/file-format.html). Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace zcdp::origin::s3 {

using Profile = std::map<std::string, std::string>;

/// The settings of profile `name`: in a config file `[default]` or `[profile NAME]`, in a credentials file `[NAME]`.
/// Lines that are no settings are passed over; a later one wins.
Profile read_profile(std::string_view file, std::string_view name, bool is_config_file);

}  // namespace zcdp::origin::s3
