// The AWS shared config and credentials files, read as botocore and the AWS command line read them (Python's
// configparser and one level of indented blocks; docs.aws.amazon.com/sdkref/latest/guide/file-format.html). Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "zcdp/base/error.hpp"

namespace zcdp::origin::s3 {

/// By name; of a section the names are in small letters. A value that goes on over indented lines has line breaks
/// inside.
using Settings = std::map<std::string, std::string>;

struct Section {
    Settings settings;                       ///< of a block the text is kept, too
    std::map<std::string, Settings> blocks;  ///< "s3 =" with indented lines "NAME = VALUE" below
};
/// What stands between [ and ], in the order of the file.
using Sections = std::vector<std::pair<std::string, Section>>;

/// A line that is indented deeper than the setting before it goes on with that setting's value; an empty line does not
/// end it. Names end at the first '=' or ':'. Lines that begin with '#' or ';' are comments; what follows a value is
/// part of it. [DEFAULT] is part of all sections. Errors: usage, with `file` and the line (a section or setting twice,
/// a setting before any section, a line that is neither).
Result<Sections> parse_sections(std::string_view text, const std::string& file);

/// A setting without what may stand behind it as " # COMMENT": for values that have no spaces. Pure.
std::string without_comment(const std::string& value);

/// The two files. Profiles of one name are one, in which the credentials file's settings win.
class AwsFiles {
  public:
    AwsFiles() = default;
    /// The names are for errors. Errors: usage.
    static Result<AwsFiles> parse(std::string_view config, const std::string& config_name, std::string_view credentials,
                                  const std::string& credentials_name);

    bool has(const std::string& profile) const;
    std::vector<std::string> names() const;  ///< of the profiles
    /// Empty when there is none.
    Section profile(const std::string& name) const;
    /// What one file alone says of it.
    Settings in_config(const std::string& profile) const;
    Settings in_credentials(const std::string& profile) const;
    /// [services NAME], [sso-session NAME]; nullptr when there is none.
    const Section* services(const std::string& name) const;
    const Section* sso_session(const std::string& name) const;

  private:
    using ByName = std::map<std::string, Section>;
    ByName config_, credentials_, services_, sso_sessions_;
};

}  // namespace zcdp::origin::s3
