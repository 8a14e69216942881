#include "src/modes/command_line.hpp"

#include <CLI/CLI.hpp>
#include <sstream>
#include <utility>

#include "zcdp/base/units.hpp"

namespace zcdp::modes {
namespace {

std::string check_size(const std::string& text) {
    return parse_size(text) ? "" : "is no size: write for example 32MiB, 1.5GiB or 100M";
}
std::string check_rate(const std::string& text) {
    return parse_rate(text) ? "" : "is no rate: write for example 100MiB/s";
}
std::string check_duration(const std::string& text) {
    return parse_duration_ms(text) ? "" : "is no duration: write for example 30s, 5m or 500ms";
}

/// CLI11 leaves a parse by an exception; nothing but its what() is shown.
void refuse_if(const std::string& wrong) {
    if (!wrong.empty()) throw CLI::ValidationError(wrong);
}

}  // namespace

Option Option::type_name(const std::string& name) {
    option_->type_name(name);
    return *this;
}

Option Option::show_default() {
    option_->capture_default_str();
    return *this;
}

Option Option::required() {
    option_->required();
    return *this;
}

Option Option::check(Check check, const std::string& kind) {
    option_->check(CLI::Validator([check = std::move(check)](std::string& value) { return check(value); }, kind));
    return *this;
}

Option Option::one_of(std::vector<std::string> words) {
    option_->check(CLI::IsMember(std::move(words)));
    return *this;
}

Option Option::range(int least, int most) {
    option_->check(CLI::Range(least, most));
    return *this;
}

Option Option::excludes(Option other) {
    option_->excludes(other.option_);
    return *this;
}

Option Option::needs(Option other) {
    option_->needs(other.option_);
    return *this;
}

Option Option::separated_by(char separator) {
    option_->delimiter(separator);
    return *this;
}

Option Option::one_at_a_time() {
    option_->allow_extra_args(false);
    return *this;
}

Option Option::tells(bool& given) {
    option_->each([&given](const std::string&) { given = true; });
    return *this;
}

std::vector<std::string> Option::long_names() const { return option_->get_lnames(); }
std::string Option::description() const { return option_->get_description(); }
std::string Option::shown_type() const { return option_->get_type_name(); }
bool Option::is_positional() const { return option_->get_positional(); }

Command Command::add_command(const std::string& name, const std::string& description) {
    return Command(*app_->add_subcommand(name, description));
}

void Command::require_command() { app_->require_subcommand(1); }
void Command::footer(const std::string& text) { app_->footer(text); }

Option Command::add_option(const std::string& names, std::string& value, const std::string& description) {
    return Option(*app_->add_option(names, value, description));
}

Option Command::add_option(const std::string& names, unsigned& value, const std::string& description) {
    return Option(*app_->add_option(names, value, description));
}

Option Command::add_option(const std::string& names, std::vector<std::string>& value, const std::string& description) {
    return Option(*app_->add_option(names, value, description));
}

Option Command::add_option(const std::string& names, Check take, const std::string& description) {
    return Option(*app_->add_option_function<std::string>(
        names, [take = std::move(take)](const std::string& value) { refuse_if(take(value)); }, description));
}

Option Command::add_size(const std::string& names, std::string& value, const std::string& description) {
    return add_option(names, value, description).check(check_size).type_name("SIZE");
}

Option Command::add_rate(const std::string& names, std::string& value, const std::string& description) {
    return add_option(names, value, description).check(check_rate).type_name("RATE");
}

Option Command::add_duration(const std::string& names, std::string& value, const std::string& description) {
    return add_option(names, value, description).check(check_duration).type_name("TIME");
}

Option Command::add_flag(const std::string& names, bool& value, const std::string& description) {
    return Option(*app_->add_flag(names, value, description));
}

Option Command::add_counted_flag(const std::string& names, int& count, const std::string& description) {
    return Option(*app_->add_flag(names, count, description));
}

void Command::on_parsed(std::function<void()> done, std::function<std::string()> check) {
    app_->callback([done = std::move(done), check = std::move(check)] {
        if (check) refuse_if(check());
        done();
    });
}

std::string Command::name() const { return app_->get_name(); }
std::string Command::description() const { return app_->get_description(); }
std::string Command::help(const std::string& before) const { return app_->help(before); }

std::vector<Command> Command::commands() const {
    std::vector<Command> out;
    for (CLI::App* below : app_->get_subcommands({})) out.emplace_back(*below);
    return out;
}

std::vector<Option> Command::options() const {
    std::vector<Option> out;
    for (CLI::Option* option : app_->get_options()) out.emplace_back(*option);
    return out;
}

CommandLine::CommandLine(const std::string& name, const std::string& description)
    : app_(std::make_unique<CLI::App>(description, name)) {}

CommandLine::~CommandLine() = default;

Command CommandLine::program() const { return Command(*app_); }

Parsed CommandLine::parse(int argc, const char* const* argv) try {
    app_->parse(argc, argv);
    return {};
} catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) return {Parsed::Outcome::wrong, error.what()};
    std::ostringstream help, unused;  // its own "success" is the wish for --help
    app_->exit(error, help, unused);
    return {Parsed::Outcome::help, help.str()};
}

}  // namespace zcdp::modes
