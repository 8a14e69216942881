#!/usr/bin/env python3
# ctest: 60
"""Completion in the shells themselves: commands, their options, commands below commands, what an argument may be, files."""

import os
import shutil
import subprocess

from tests.support.harness import TestRun, skip


def lines(command, bench, **env):
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, cwd=bench.folder, env={**os.environ, **env}
    )
    return done.stdout.splitlines() + done.stderr.splitlines()


def script(bench, shell):
    path = bench.path(f"completion.{shell}")
    path.write_text(bench.zcdp("completion", shell)[1])
    return path


def bash(bench):
    ask = f'source {script(bench, "bash")}; COMP_WORDS=(zcdp "$@"); COMP_CWORD=$#; _zcdp; printf "%s\\n" "${{COMPREPLY[@]}}"'
    complete = lambda *words: lines(["bash", "-c", ask, "bash", *words], bench)
    bench.check("bash knows commands", {"sync", "store", "serve"} <= set(complete("")), complete(""))
    bench.check("and their options", "--no-store" in complete("sync", "--no"), complete("sync", "--no"))
    bench.check(
        "of every command that reads a source",
        all(complete(command, "--billing") == ["--billing-project"] for command in ("sync", "verify")),
        complete("sync", "--billing"),
    )
    bench.check("and commands below commands", "verify" in complete("store", "ver"), complete("store", "ver"))
    bench.check("and what can be explained", complete("explain", "da")[:1] == ["dataset"], complete("explain", "da"))


def zsh(bench):
    # The function itself, in a real zsh; only zsh's own menus are replaced by lines.
    ask = (
        f'compdef() {{ :; }}; _files() {{ print FILES; }}; _describe() {{ local -a all=("${{(@P)${{@[-1]}}}}"); print -l -- "${{all[@]}}"; }}; '
        f'source {script(bench, "zsh")}; words=("$@"); CURRENT=$#; _zcdp'
    )
    complete = lambda *words: lines(["zsh", "-fc", ask, "zsh", "zcdp", *words], bench)
    bench.check(
        "zsh knows commands and what they do", any(line.startswith("sync:") for line in complete("")), complete("")
    )
    bench.check(
        "and options", any(line.startswith("--no-store:") for line in complete("sync", "--n")), complete("sync", "--n")
    )
    bench.check(
        "and commands below commands",
        any(line.startswith("verify:") for line in complete("store", "")),
        complete("store", ""),
    )
    bench.check("and files", "FILES" in complete("sync", "x"), complete("sync", "x"))


TYPED = r"""
zmodload zsh/zpty
zpty -b shell zsh -f -i
zpty -w shell "PROMPT=; autoload -Uz compinit; compinit -D -u; $1"
zpty -w shell 'note() { print -r -- "$BUFFER" >note; mv note typed; }; zle -N note; bindkey "^X" note'
zpty -w -n shell $'zcdp sy\t--no-s\t\x18'
for i in {1..100}; do [[ -e typed ]] && break; sleep 0.1; done
cat typed
"""


def zsh_typed(bench):
    """At a terminal: what the keys leave on the line, with the script sourced and with it in $fpath."""
    folder = bench.path("fpath")
    folder.mkdir()
    (folder / "_zcdp").write_text(script(bench, "zsh").read_text())
    for how, load in (
        ("sourced", f"source {bench.path('completion.zsh')}"),
        ("in $fpath", f"fpath=({folder} $fpath); compinit -D -u"),
    ):
        bench.path("typed").unlink(missing_ok=True)
        typed = lines(["zsh", "-fc", TYPED, "zsh", load], bench)
        bench.equal(f"zsh at a terminal, the script {how}", " ".join(typed), "zcdp sync --no-store ")


def fish(bench):
    path = script(bench, "fish")
    complete = lambda line: [
        one.split("\t")[0]
        for one in lines(
            ["fish", "--no-config", "-c", f"source {path}; complete -C '{line}'"], bench, HOME=str(bench.folder)
        )
    ]
    bench.check("fish knows commands", {"sync", "store", "serve"} <= set(complete("zcdp s")), complete("zcdp s"))
    bench.check("and options", "--no-store" in complete("zcdp sync --no"), complete("zcdp sync --no"))
    bench.check("and commands below commands", "verify" in complete("zcdp store v"), complete("zcdp store v"))
    bench.check(
        "and nothing of other places", "--no-store" not in complete("zcdp store --no"), complete("zcdp store --no")
    )


missing = [shell for shell in ("zsh", "fish") if not shutil.which(shell)]
with TestRun() as bench:
    bash(bench)
    if "zsh" not in missing:
        zsh(bench)
        zsh_typed(bench)
    if "fish" not in missing:
        fish(bench)
if missing:
    skip(f"{' and '.join(missing)} not installed; the other shells pass")
