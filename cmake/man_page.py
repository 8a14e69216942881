#!/usr/bin/env python3
"""Writes zcdp's man page, from the help texts that zcdp prints, to stdout: man_page.py ZCDP YYYY-MM-DD"""

import re
import subprocess
import sys

HEADING = re.compile(r"^(\w[\w ]*):$")
ENTRY = re.compile(r"^ {2}(\S.*?)(?: {2,}(\S.*))?$")


def run(zcdp, *words):
    return subprocess.run([zcdp, *words], check=True, capture_output=True, encoding="utf-8").stdout


def escaped(text):
    """Of plain text, also at the beginning of a line."""
    out = (
        text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga").replace("^", "\\(ha").replace("~", "\\(ti")
    )
    return "\\&" + out if out.startswith((".", "'")) else out


def entries(lines):
    """[(term, what it is)] of a list in a help text; a long term has its text in the next line."""
    found = []
    for line in lines:
        entry = ENTRY.match(line)
        if entry and not line.startswith("   "):
            found.append([entry[1], entry[2] or ""])
        elif found:
            found[-1][1] = (found[-1][1] + " " + line.strip()).strip()
    return found


def listed(lines):
    for term, text in entries(lines):
        yield from (".TP", f".B {escaped(term)}", escaped(text) or "\\&")


def prose(lines):
    """The footer: paragraphs, and indented lines as they are."""
    verbatim = False
    for line in lines:
        if line.startswith("  ") != verbatim:
            verbatim = not verbatim
            yield from ([".PP", ".nf"] if verbatim else [".fi"])
        if line.strip() or verbatim:
            yield escaped(line)
        else:
            yield ".PP"
    if verbatim:
        yield ".fi"


def parts(text):
    """A help text: its first lines, the lists by their headings, the footer."""
    lines = text.rstrip().split("\n")
    head, lists, at = [], {}, 0
    while at < len(lines) and not HEADING.match(lines[at]):
        head.append(lines[at])
        at += 1
    while at < len(lines) and (heading := HEADING.match(lines[at])) and heading[1] != "Examples":
        lists[heading[1]] = []
        at += 1
        while at < len(lines) and lines[at].startswith("  "):
            lists[heading[1]].append(lines[at])
            at += 1
        while at < len(lines) and not lines[at]:
            at += 1
    return head, lists, lines[at:]


def page(zcdp, date):
    head, lists, footer = parts(run(zcdp, "--help"))
    version = run(zcdp, "version").split()[1]
    name, _, what = head[0].partition(", ")
    yield from (
        f'.TH ZCDP 1 "{date}" "zcdp {version}" "User Commands"',
        *(".SH NAME", escaped(f"{name} - {what}")),
        *(".SH SYNOPSIS", ".B zcdp", ".I COMMAND", "[\\fIOPTIONS\\fR]"),
        *(".SH DESCRIPTION", *prose(footer)),
        ".SH COMMANDS",
    )
    commands = [[name] for name, _ in entries(lists["Subcommands"])]
    while commands:
        words = commands.pop(0)
        head, lists, footer = parts(run(zcdp, *words, "--help"))
        commands[:0] = [[*words, name] for name, _ in entries(lists.pop("Subcommands", []))]
        usage = next(line.removeprefix("Usage: ") for line in head if line.startswith("Usage: "))
        yield from (f".SS {escaped('zcdp ' + ' '.join(words))}", escaped(head[0]), ".PP", f".B {escaped(usage)}")
        for heading, lines in lists.items():
            yield from (".PP", f"{heading}:", *listed(lines))
        if footer:
            yield from (".PP", *prose(footer))


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    print("\n".join(page(*sys.argv[1:])))
