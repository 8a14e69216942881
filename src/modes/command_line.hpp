// The command line as the commands describe it: their flags, options and words; and its parsing, help and errors.
// The parser behind it is CLI11, which command_line.cpp alone includes: its templates cost seconds in every file.
// Thread rule: one thread. Ownership: a CommandLine owns everything; Command and Option are handles into it, copied
// freely, and of no use once it is gone. The variables that options are bound to outlive the parsing.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace zcdp::modes {

/// What is wrong with a value, in words that follow it; "" when nothing is.
using Check = std::function<std::string(const std::string& value)>;

/// One flag, option or positional word of a command.
class Option {
  public:
    explicit Option(CLI::Option& option) : option_(&option) {}

    /// What --help calls the value: "DIR".
    Option type_name(const std::string& name);
    /// --help shows what the variable holds now.
    Option show_default();
    Option required();
    /// `kind` is shown in --help behind the type; "": nothing is.
    Option check(Check check, const std::string& kind = "");
    /// One of these words.
    Option one_of(std::vector<std::string> words);
    /// A whole number from `least` to `most`.
    Option range(int least, int most);
    /// Not together with `other`.
    Option excludes(Option other);
    /// Only together with `other`.
    Option needs(Option other);
    /// A list in one value, too: "a,b".
    Option separated_by(char separator);
    /// A list takes one value each time it is given, and leaves the words behind to others.
    Option one_at_a_time();
    /// `given` becomes true when the command line has this option.
    Option tells(bool& given);

    /// The names of `--name`, without the dashes.
    std::vector<std::string> long_names() const;
    std::string description() const;
    /// As --help shows it: "TEXT:{auto,copy,link}".
    std::string shown_type() const;
    bool is_positional() const;

  private:
    CLI::Option* option_;
};

/// A command, a command that has others below it, or the program.
class Command {
  public:
    explicit Command(CLI::App& app) : app_(&app) {}

    Command add_command(const std::string& name, const std::string& description);
    /// One of the commands below has to be given.
    void require_command();
    /// What --help says below the options.
    void footer(const std::string& text);

    /// `names` are "--long", "-s,--long", or "WORD" for a positional one. Each `value` is left alone when the option is
    /// not given.
    Option add_option(const std::string& names, std::string& value, const std::string& description);
    Option add_option(const std::string& names, unsigned& value, const std::string& description);
    Option add_option(const std::string& names, std::vector<std::string>& value, const std::string& description);
    /// `take` gets the value, and says what is wrong: the whole message, "" when nothing is.
    Option add_option(const std::string& names, Check take, const std::string& description);
    /// Bytes with a unit, checked as parse_size() reads them.
    Option add_size(const std::string& names, std::string& value, const std::string& description);
    /// Bytes a second, checked as parse_rate() reads them.
    Option add_rate(const std::string& names, std::string& value, const std::string& description);
    /// A time with a unit, checked as parse_duration_ms() reads them.
    Option add_duration(const std::string& names, std::string& value, const std::string& description);
    /// "!--no-thing" makes `value` false.
    Option add_flag(const std::string& names, bool& value, const std::string& description);
    /// `count` is how many times the flag is given.
    Option add_counted_flag(const std::string& names, int& count, const std::string& description);

    /// `done` is called when this command has been parsed and every option is right, and so are all together: `check`
    /// says what is wrong, the whole message, "" when nothing is.
    void on_parsed(std::function<void()> done, std::function<std::string()> check = nullptr);

    std::string name() const;
    std::string description() const;
    /// The text of --help; `before` are the words that lead to this command: "zcdp store".
    std::string help(const std::string& before) const;
    std::vector<Command> commands() const;
    std::vector<Option> options() const;

  private:
    CLI::App* app_;
};

struct Parsed {
    enum class Outcome {
        ready,  ///< a command was chosen, and its on_parsed() has been called
        help,   ///< `text` is the help that was asked for
        wrong   ///< `text` says in one line what is wrong
    };
    Outcome outcome = Outcome::ready;
    std::string text;
};

/// The whole of it.
class CommandLine {
  public:
    CommandLine(const std::string& name, const std::string& description);
    ~CommandLine();

    /// The program itself.
    Command program() const;
    Parsed parse(int argc, const char* const* argv);

  private:
    std::unique_ptr<CLI::App> app_;
};

}  // namespace zcdp::modes
