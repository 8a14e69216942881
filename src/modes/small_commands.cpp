// zcdp version, zcdp completion
#include <fmt/core.h>

#include "src/modes/context.hpp"
#include "src/modes/json.hpp"
#include "zcdp_version.hpp"

namespace zcdp::modes {

void add_version(CLI::App& app, Action& action) {
    CLI::App& version = *app.add_subcommand("version", "print version and commit");
    auto json = std::make_shared<bool>(false);
    version.add_flag("--json", *json, "as one JSON object");
    version.callback([json, &action] {
        action = [json](Context&) {
            if (*json)
                fmt::print("{}\n", JsonObject().add("version", ZCDP_VERSION).add("commit", ZCDP_COMMIT).add("compiler", ZCDP_COMPILER).str());
            else
                fmt::print("zcdp {} ({})\n", ZCDP_VERSION, ZCDP_COMMIT);
            return 0;
        };
    });
}

namespace {

/// "sync store serve …" of a command, and its options.
std::string words_of(const CLI::App& app) {
    std::string words;
    for (const CLI::App* command : app.get_subcommands({})) words += command->get_name() + " ";
    for (const CLI::Option* option : app.get_options())
        for (const std::string& name : option->get_lnames()) words += "--" + name + " ";
    return words;
}

/// A bash function that knows the words after each path of commands.
std::string bash_script(const CLI::App& app) {
    std::string cases = fmt::format("    '') words='{}' ;;\n", words_of(app));
    for (const CLI::App* command : app.get_subcommands({})) {
        cases += fmt::format("    ' {}') words='{}' ;;\n", command->get_name(), words_of(*command));
        for (const CLI::App* below : command->get_subcommands({}))
            cases += fmt::format("    ' {} {}') words='{}' ;;\n", command->get_name(), below->get_name(), words_of(*below));
    }
    return R"(# bash completion for zcdp; load it with: source <(zcdp completion bash)
_zcdp() {
  local current=${COMP_WORDS[COMP_CWORD]} path= words= word
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in
      -*) ;;
      [a-z]*) case $path in ''|' store'|' completion') path="$path $word" ;; esac ;;
    esac
  done
  case $path in
)" + cases + R"(  esac
  case $current in
    -*) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current") ;;
    *) mapfile -t COMPREPLY < <(compgen -W "${words//--*([^ ])/}" -- "$current"; compgen -f -- "$current") ;;
  esac
}
complete -o filenames -o nosort -F _zcdp zcdp
)";
}

}  // namespace

void add_completion(CLI::App& app, Action& action) {
    CLI::App& completion = *app.add_subcommand("completion", "print a shell's completion script");
    auto shell = std::make_shared<std::string>();
    completion.add_option("SHELL", *shell, "bash")->required()->check(CLI::IsMember({"bash"}));
    completion.footer("\nExample:\n  source <(zcdp completion bash)");
    completion.callback([&app, &action, shell] {
        action = [&app](Context&) {
            fmt::print("{}", bash_script(app));
            return 0;
        };
    });
}

}  // namespace zcdp::modes
