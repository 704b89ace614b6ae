# SPDX-License-Identifier: Apache-2.0
"""What a real zsh offers: an interactive one in a terminal of its own, asked for many lines."""

from __future__ import annotations

import os
import pty
import select
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

DEADLINE_S: Final = 250.0  # of a machine that has much else to do
# Every match goes through `compadd`: this one writes down what the builtin would add.
PROGRAM: Final = r"""
PS1=
fpath=({folder} $fpath)
autoload -Uz compinit; compinit -D -u
compadd() {{
  if [[ " $* " == *" -"[OAD]" "* || " $* " == *" -"[a-zA-Z12]#[OAD]" "* ]]; then
    builtin compadd "$@"; return
  fi
  local -a offered
  builtin compadd -O offered "$@"
  (( $#offered )) && print -rl -- $offered >>{out}
  builtin compadd "$@"
}}
ask() {{
  local line
  for line in ${{(f)"$(<{lines})"}}; do
    BUFFER=$line CURSOR=${{#line}}
    print -r -- "> $line" >>{out}
    zle list-choices
  done
  print -r -- "> that is all" >>{out}
  BUFFER=
}}
zle -N ask
bindkey '^T' ask
print ready >>{out}
"""


def offered(
    lines: Sequence[str], completions: Path, work: Path, environ: Mapping[str, str]
) -> dict[str, set[str]]:
    """Return what zsh offers at the end of each line; no line may be `that is all`."""
    out = work / "offered"
    (work / "lines").write_text("\n".join(lines))
    program = PROGRAM.format(folder=completions, out=out, lines=work / "lines")
    (work / ".zshrc").write_text(program)
    child, terminal = pty.fork()
    if not child:
        settings = {**environ, "ZDOTDIR": str(work), "TERM": "dumb", "LC_ALL": "C.UTF-8"}
        os.execvpe("zsh", ["zsh", "-d", "-i"], settings)  # noqa: S606 - no other shell between
    try:
        _wait(terminal, out, "ready")
        os.write(terminal, b"\x14")
        _wait(terminal, out, "> that is all")
    finally:
        os.close(terminal)
        os.waitpid(child, 0)
    return _read(out)


def _wait(terminal: int, out: Path, mark: str) -> None:
    end_s = time.monotonic() + DEADLINE_S
    while not (out.exists() and mark in out.read_text().splitlines()):
        assert time.monotonic() < end_s, out.read_text() if out.exists() else "zsh says nothing"
        if select.select([terminal], [], [], 0.05)[0]:
            os.read(terminal, 65536)


def _read(out: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    words: set[str] = set()
    for line in out.read_text().splitlines():
        if line.startswith("> "):
            words = found.setdefault(line[2:], set())
        else:
            words.add(line)
    return found
