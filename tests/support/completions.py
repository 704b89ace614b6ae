# SPDX-License-Identifier: Apache-2.0
"""Completion scripts for bash and zsh, from the parsers: `python -m tests.support.completions`.

What an argument takes is known by its choices or by its METAVAR (`VALUES`); what no table
knows is completed by nothing.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scomod import __main__ as daemon
from scomod import cli
from scomod.lab import __main__ as lab
from scomod.lab.switches import OFF, SWITCHES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FOLDER: Final = Path(__file__).parents[2] / "script/completion"
PARSERS: Final = {
    "scomoctl": cli.make_parser,
    "scomod": daemon.parser,
    "scomod-lab": lab.make_parser,
}
# What completes a value: a function of the scripts, by METAVAR, or words.
VALUES: Final = {
    "DIR": "dirs",
    "FILE": "files",
    "KEY": "files",
    "CHAIN": "files",
    "SIG": "files",
    "PASS": "files",
    "ID": "operations",
    "SERVER": "servers",
    "URI": "nodes",
    "COMMAND": "commands",
    "KIND": "words deb ipk flatpak bundle",
    "WHEN": "words tonight 22:00 30m 1h 2d",
    "NAME=VALUE": " ".join(["words", OFF, *(f"{name}=" for name in SWITCHES)]),
    "TIME": "words 90m 12h 2d 1w",
    "SEC": "words NETWPIN USERPIN USERNETWPIN USERPINMAC",
}
# Where METAVAR means something else.
EXCEPT: Final = {
    ("trace", "ID"): "traces",
    ("bootstrap", "PIN"): "",
    ("sign", "PIN"): "files",
    ("run", "COMMAND"): "",
}
HEAD: Final = """# SPDX-License-Identifier: Apache-2.0
# {name} completion of {program}; made from its parser by tests/support/completions.py
"""
# What is asked of the daemon: a line for each, out of --json.  Nothing where none answers.
ASKED: Final = {
    "operations": ("operations", "id"),
    "servers": ("status", "server_id"),
    "traces": ("trace", "id"),
}
OF_DAEMON: Final = {*ASKED, "nodes"}
SED: Final = r"""sed -n 's/^ *"{key}": "\{{0,1\}}\([^",]*\)"\{{0,1\}},\{{0,1\}}$/\1/p'"""


@dataclass(frozen=True, slots=True)
class Taken:
    """An argument: its spellings (none for a positional), its help, and what completes it.

    `values` is "" for nothing, None for an option that takes no value.
    """

    names: tuple[str, ...]
    help: str
    values: str | None
    word: str
    is_many: bool = False


def taken(parser: argparse.ArgumentParser, command: str = "") -> Iterator[Taken]:
    """Give the arguments of a parser, without those that are hidden and without commands."""
    for action in parser._actions:
        if action.help == argparse.SUPPRESS or isinstance(action, argparse._SubParsersAction):
            continue
        word = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
        yield Taken(
            names=tuple(action.option_strings),
            help=" ".join((action.help or word).split()).replace("%(prog)s", parser.prog),
            values=None if action.nargs == 0 else _values(parser, action, command, word),
            word=word,
            is_many=action.nargs == "*",
        )


def _values(
    parser: argparse.ArgumentParser, action: argparse.Action, command: str, word: str
) -> str:
    if action.choices is not None:
        return " ".join(["words", *map(str, action.choices)])
    usual = VALUES.get(word, "files" if action.type is Path else "")
    found = EXCEPT.get((command, word), usual)
    return "" if found in OF_DAEMON and not parser.prog.startswith("scomoctl") else found


def commands(parser: argparse.ArgumentParser) -> dict[str, tuple[str, argparse.ArgumentParser]]:
    """Give the commands of a parser: name, help and parser of each."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {each.dest: each.help or "" for each in action._choices_actions}
            return {name: (helps[name], each) for name, each in action.choices.items()}
    return {}


# -- bash ------------------------------------------------------------------------------


def bash(program: str, parser: argparse.ArgumentParser) -> str:
    """Return the script for bash."""
    name = "_" + program.replace("-", "_")
    found = commands(parser)
    rows = [("", parser), *((command, each) for command, (_, each) in found.items())]
    options, values, places = [], [], []
    for command, each in rows:
        arguments = list(taken(each, command))
        named = [one for one in arguments if one.names]
        words = [spelling for one in named for spelling in one.names if spelling[1] == "-"]
        options.append(f"        {command or chr(34) * 2}) echo '{' '.join(words)}' ;;")
        values += [
            f"        '{command} {spelling}') echo '{one.values or 'nothing'}' ;;"
            for one in named
            if one.values is not None
            for spelling in one.names
        ]
        plain = [one for one in arguments if not one.names]
        places += [
            f"        '{command} {number}'{'*' if one.is_many else ''}) echo '{one.values}' ;;"
            for number, one in enumerate(plain, start=1)
            if one.values
        ]
    if found:
        places.insert(0, "        ' 1') echo commands ;;")
    return HEAD.format(name="bash", program=program) + BASH.format(
        name=name,
        program=program,
        commands=" ".join(found),
        options="\n".join(options),
        values="\n".join(values),
        places="\n".join(places),
        asked="\n".join(_asked_bash(parser)),
    )


def _asked_bash(parser: argparse.ArgumentParser) -> Iterator[str]:
    for kind, (command, key) in ASKED.items() if parser.prog == "scomoctl" else ():
        yield (
            f"        {kind}) compgen -W "
            f'"$(scomoctl --json {command} 2>/dev/null | {SED.format(key=key)})" -- "$2" ;;'
        )
    if parser.prog == "scomoctl":
        yield (
            '        nodes) [[ $2 == ./* ]] && compgen -W "$(scomoctl tree "${2%/*}" 2>/dev/null |'
            ' sed "s,^,${2%/*}/,")" -- "$2" ;;'
        )


BASH: Final = r"""
{name}_options() {{
    case $1 in
{options}
    esac
}}

{name}_value() {{
    case "$1 $2" in
{values}
    esac
}}

{name}_place() {{
    case "$1 $2" in
{places}
    esac
}}

{name}_words() {{
    case $1 in
        dirs) compgen -d -- "$2" ;;
        files) compgen -f -- "$2" ;;
        commands) compgen -W "$commands" -- "$2" ;;
        words*) compgen -W "${{1#words }}" -- "$2" ;;
{asked}
    esac
}}

{name}() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} command="" place=1 kind="" i
    local commands="{commands}"
    for ((i = 1; i < COMP_CWORD; i++)); do
        kind=$({name}_value "$command" "${{COMP_WORDS[i]}}")
        [[ -n $kind ]] || kind=$({name}_value "" "${{COMP_WORDS[i]}}")
        if [[ -n $kind ]]; then
            ((++i < COMP_CWORD)) && kind=""
        elif [[ ${{COMP_WORDS[i]}} == -* ]]; then
            :
        elif [[ -z $command && -n $commands ]]; then
            command=${{COMP_WORDS[i]}}
        else
            ((place++))
        fi
    done
    if [[ -z $kind && $word == -* ]]; then
        kind="words $({name}_options "$command")"
    elif [[ -z $kind ]]; then
        kind=$({name}_place "$command" "$place")
    fi
    mapfile -t COMPREPLY < <({name}_words "$kind" "$word")
}}
complete -o filenames -F {name} {program}
"""


# -- zsh -------------------------------------------------------------------------------


def zsh(program: str, parser: argparse.ArgumentParser) -> str:
    """Return the function for zsh, a file of fpath."""
    name = "_" + program
    found = commands(parser)
    lines = [f"#compdef {program}", HEAD.format(name="zsh", program=program)]
    lines += list(_asked_zsh(name, parser))
    for command, (_, each) in found.items():
        lines += [f"{name}-{command}() {{", *_arguments(name, taken(each, command)), "}", ""]
    lines.append(f"{name}-commands() {{")
    lines += ["  local -a commands=("]
    lines += [f"    {_quoted(f'{each}:{text}')}" for each, (text, _) in found.items()]
    lines += ["  )", "  _describe -t commands command commands", "}", ""]
    lines += [f"{name}() {{", "  local curcontext=$curcontext state line"]
    if found:
        more = [f"'1: :{name}-commands'", "'*:: :->rest'"]
        lines += _arguments(name, taken(parser), more)
        lines += ["  if [[ $state == rest ]]; then", f"    {name}-$line[1]", "  fi"]
    else:
        lines += _arguments(name, taken(parser))
    return "\n".join([*lines, "}", "", f'{name} "$@"', ""])


def _asked_zsh(name: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    if parser.prog != "scomoctl":
        return
    for kind, (command, key) in ASKED.items():
        yield f"{name}-ask-{kind}() {{"
        yield "  local -a found"
        asked = f"scomoctl --json {command} 2>/dev/null | {SED.format(key=key)}"
        yield f'  found=(${{(f)"$({asked})"}})'
        yield "  compadd -a found"
        yield "}\n"
    yield f"{name}-ask-nodes() {{"
    yield "  [[ $PREFIX == ./* ]] || return"
    yield "  local -a found"
    yield ('  found=(${(f)"$(scomoctl tree ${PREFIX%/*} 2>/dev/null | sed "s,^,${PREFIX%/*}/,")"})')
    yield "  compadd -a found"
    yield "}\n"


def _arguments(name: str, arguments: Iterator[Taken], more: Sequence[str] = ()) -> list[str]:
    specs = [spec for one in arguments for spec in _specs(name, one)]
    body = " \\\n".join(f"    {spec}" for spec in [*specs, *more])
    return [f"  _arguments -C -s -S \\\n{body}" if body else "  _message 'no more arguments'"]


def _specs(name: str, one: Taken) -> Iterator[str]:
    after = "" if one.values is None else f":{one.word}:{_action(name, one.values)}"
    text = one.help.replace("[", "(").replace("]", ")").replace(":", "\\:")
    for spelling in one.names:
        yield _quoted(f"{spelling}[{text}]{after}")
    if not one.names:
        yield _quoted(f"{'*' if one.is_many else ''}:{text}{after.removeprefix(f':{one.word}')}")


def _action(name: str, values: str) -> str:
    kind, _, words = values.partition(" ")
    match kind:
        case "":
            return " "
        case "words":
            return f"({words})".replace(":", "\\:")
        case "files":
            return "_files"
        case "dirs":
            return "_directories"
        case "commands":
            return f"{name}-commands"
        case _:
            return f"{name}-ask-{kind}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "\u2019") + "'"


def scripts() -> Iterator[tuple[Path, str]]:
    """Give each script: its place and its content."""
    for program, make in PARSERS.items():
        yield FOLDER / f"{program}.bash", bash(program, make())
        yield FOLDER / f"_{program}", zsh(program, make())


if __name__ == "__main__":
    for place, content in scripts():
        place.write_text(content)
