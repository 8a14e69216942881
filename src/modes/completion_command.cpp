// zcdp completion: scripts for bash, zsh and fish, made from the very commands and options that --help shows.
#include <fmt/core.h>
#include <fmt/ranges.h>

#include "src/modes/context.hpp"

namespace zcdp::modes {
namespace {

struct Word {
    std::string word, says;
};
/// What may follow one path of commands ("", "sync", "store ls").
struct Place {
    std::string path;
    std::vector<Word> commands, options;
};

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

/// An argument that must be one of a set says so in its type: "TEXT:{bash,zsh,fish}".
void add_choices(const std::string& type, std::vector<Word>& words) {
    const size_t open = type.find('{'), close = type.rfind('}');
    if (open == type.npos || close == type.npos) return;
    for (size_t begin = open + 1; begin < close;) {
        const size_t end = std::min(type.find(',', begin), close);
        words.push_back({type.substr(begin, end - begin), ""});
        begin = end + 1;
    }
}

Place place_of(Command command, std::string path) {
    Place out{std::move(path), {}, {}};
    for (const Command& below : command.commands())
        if (!below.name().empty()) out.commands.push_back({below.name(), first_line(below.description())});
    for (const Option& option : command.options()) {
        if (option.is_positional()) add_choices(option.shown_type(), out.commands);
        for (const std::string& name : option.long_names())
            out.options.push_back({name, first_line(option.description())});
    }
    return out;
}

std::vector<Place> places_of(Command program) {
    std::vector<Place> out{place_of(program, "")};
    for (const Command& command : program.commands()) {
        out.push_back(place_of(command, command.name()));
        for (const Command& below : command.commands())
            out.push_back(place_of(below, command.name() + " " + below.name()));
    }
    return out;
}

/// In single quotes, as bash and zsh read it.
std::string quoted(const std::string& text, const char* quote) {
    std::string out = "'";
    for (const char c : text) {
        if (c == '\'') out += quote;
        else out += c;
    }
    return out + "'";
}

/// Which commands have others below them: only after those a second word is one of the path.
std::string parents(const std::vector<Place>& places, const char* separator) {
    std::vector<std::string> names;
    for (const Place& place : places)
        if (!place.path.empty() && !place.commands.empty()) names.push_back(place.path);
    return fmt::format("{}", fmt::join(names, separator));
}

/// The end of a loop over the words so far, and what may follow where they lead; bash and zsh read it alike.
std::string walk(const std::vector<Place>& places, const std::string& cases) {
    return R"(    case $word in
      [a-z]*) case $at in '') at=$word ;; )" +
           parents(places, "|") + R"() at="$at $word" ;; esac ;;
    esac
  done
  case $at in
)" + cases +
           "  esac\n";
}

std::string bash_script(const std::vector<Place>& places) {
    std::string cases;
    for (const Place& place : places) {
        std::string commands, options;
        for (const Word& word : place.commands) commands += word.word + " ";
        for (const Word& word : place.options) options += "--" + word.word + " ";
        cases += fmt::format("    '{}') commands='{}' options='{}' ;;\n", place.path, commands, options);
    }
    return R"(# bash completion for zcdp; load it with: source <(zcdp completion bash)
_zcdp() {
  local current=${COMP_WORDS[COMP_CWORD]} at= commands= options= word
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
)" + walk(places, cases) +
           R"(  case $current in
    -*) mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current") ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$current"; compgen -f -- "$current") ;;
  esac
}
complete -o filenames -o nosort -F _zcdp zcdp
)";
}

std::string zsh_script(const std::vector<Place>& places) {
    const auto list = [](const std::vector<Word>& words, const char* dashes) {
        std::string out;
        for (const Word& word : words)
            out += " " + quoted(dashes + word.word + (word.says.empty() ? "" : ":" + word.says), "'\\''");
        return out;
    };
    std::string cases;
    for (const Place& place : places)
        cases += fmt::format("    '{}') commands=({}) options=({}) ;;\n", place.path, list(place.commands, ""),
                             list(place.options, "--"));
    return R"(#compdef zcdp
# zsh completion for zcdp; load it with: source <(zcdp completion zsh), or put it as _zcdp into a folder of $fpath
_zcdp() {
  local at='' word
  local -a commands options
  for word in "${(@)words[2,CURRENT-1]}"; do
)" + walk(places, cases) +
           R"(  if [[ ${words[CURRENT]} == -* ]]; then
    _describe -o option options
  else
    (( ${#commands} )) && _describe command commands
    _files
  fi
}
if [[ ${funcstack[1]-} == _zcdp ]]; then _zcdp "$@"; else compdef _zcdp zcdp; fi
)";
}

std::string fish_script(const std::vector<Place>& places) {
    std::string lines;
    for (const Place& place : places) {
        const std::string when =
            fmt::format("complete -c zcdp -n {}", quoted(fmt::format("__zcdp_at \"{}\"", place.path), "\\'"));
        for (const Word& word : place.commands)
            lines += fmt::format("{} -a {} -d {}\n", when, word.word, quoted(word.says, "\\'"));
        for (const Word& word : place.options)
            lines += fmt::format("{} -l {} -d {}\n", when, word.word, quoted(word.says, "\\'"));
    }
    return R"(# fish completion for zcdp; load it with: zcdp completion fish | source
function __zcdp_at
  set -l at
  for word in (commandline -opc)[2..-1]
    if string match -qr '^[a-z]' -- $word
      if test -z "$at"
        set at $word
      else if contains -- $at )" +
           parents(places, " ") + R"(
        set at "$at $word"
      end
    end
  end
  test "$at" = $argv[1]
end
)" + lines;
}

}  // namespace

void add_completion(Command program, Action& action) {
    Command completion = program.add_command("completion", "print a shell's completion script");
    auto shell = std::make_shared<std::string>();
    completion.add_option("SHELL", *shell, "bash, zsh or fish").required().one_of({"bash", "zsh", "fish"});
    completion.footer(
        "\nExamples:\n  source <(zcdp completion bash)\n  source <(zcdp completion zsh)\n  zcdp completion fish | "
        "source");
    completion.on_parsed([program, &action, shell] {
        action = [program, shell](Context&) {
            const std::vector<Place> places = places_of(program);
            fmt::print("{}", *shell == "bash"  ? bash_script(places)
                             : *shell == "zsh" ? zsh_script(places)
                                               : fish_script(places));
            return 0;
        };
    });
}

}  // namespace zcdp::modes
