# SPDX-License-Identifier: Apache-2.0
"""The commands of `scomoctl` and their arguments: the table that the parser is made from.

Completions are made from it too (`tests/support/completions.py`); what a command does is
in `cliactions.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a command, as `argparse` wants it."""

    name: str
    help: str
    more: tuple[tuple[str, object], ...] = ()


def number(text: str) -> int:
    """Parse the number of an operation or a trace."""
    value = int(text)
    if not 0 <= value < 1 << 63:
        raise ValueError(text)
    return value


_OPTIONAL: Final = ("nargs", "?")
_FLAG: Final = ("action", "store_true")
_ID: Final = Argument(
    "id",
    "number of the operation; may be left out if one prompt waits",
    (_OPTIONAL, ("type", number), ("metavar", "ID")),
)
COMMANDS: Final[dict[str, tuple[str, tuple[Argument, ...]]]] = {
    "status": ("show the device, its servers and what is under way", ()),
    "inventory": ("show the software that the servers see", ()),
    "baseline": ("show the build that left the factory, and what has changed since", ()),
    "operations": (
        "show what servers asked for and how it went",
        (
            Argument(
                "what",
                "show one in full, or cancel it; left out, all are listed",
                (_OPTIONAL, ("choices", ("show", "cancel"))),
            ),
            Argument(
                "id",
                "its number, as in the list; of one to be shown or stopped",
                (_OPTIONAL, ("type", number), ("metavar", "ID")),
            ),
        ),
    ),
    "why": (
        "say why nothing happens now, and when something will",
        (replace(_ID, help="number of an operation: of this one only"),),
    ),
    "plan": (
        "say what would happen next, with sizes and risks",
        (replace(_ID, help="number of an operation: with this one only"),),
    ),
    "doctor": (
        "look whether all is well, and say what to do; ends with 1 if there is a problem",
        (),
    ),
    "report": (
        "make one file for support, without secrets, also where no daemon runs",
        (
            Argument(
                "file",
                "the file (scomod-report-TIME.tar.gz)",
                (_OPTIONAL, ("default", ""), ("metavar", "FILE")),
            ),
        ),
    ),
    "metrics": ("print figures for monitoring as OpenMetrics text", ()),
    "history": (
        "show the operations that are over, with versions, consent and result",
        (
            Argument(
                "--server", "only those of this server", (("default", ""), ("metavar", "SERVER"))
            ),
            Argument(
                "--since",
                "only those that ended since then: 2d, 90m or 2026-11-21T10:00",
                (("default", ""), ("metavar", "TIME")),
            ),
            Argument("--failed", "only those that failed", (_FLAG,)),
        ),
    ),
    "request": (
        "ask a server to install or update software, and wait for its answer",
        (
            Argument("what", "what the server is asked for", (("choices", ("install", "update")),)),
            Argument(
                "component",
                "the component; left out, whatever the server has",
                (_OPTIONAL, ("default", ""), ("metavar", "COMPONENT")),
            ),
            Argument(
                "--server",
                "server; may be left out if there is one account",
                (("default", ""), ("metavar", "SERVER")),
            ),
            Argument("--device", "ask in the name of the device, not of a person", (_FLAG,)),
        ),
    ),
    "session": (
        "run a session with a server and wait for its end",
        (
            Argument(
                "server",
                "server; may be left out if there is one account",
                (_OPTIONAL, ("default", ""), ("metavar", "SERVER")),
            ),
        ),
    ),
    "tree": (
        "list the nodes below a node of the management tree",
        (
            Argument(
                "uri",
                "the node to begin at (., the root)",
                (_OPTIONAL, ("default", "."), ("metavar", "URI")),
            ),
            Argument(
                "--recursive", "show all that is below, with values, drawn as a tree", (_FLAG,)
            ),
        ),
    ),
    "get": (
        "show one node of the management tree",
        (
            Argument("uri", "the node, e.g. ./DevInfo/DevId", (("metavar", "URI"),)),
            Argument(
                "--output",
                "write its whole value, octet for octet, into this file; - is standard output",
                (("default", ""), ("metavar", "FILE")),
            ),
        ),
    ),
    "confirm": ("accept what a prompt asks", (_ID,)),
    "decline": ("decline what a prompt asks", (_ID,)),
    "defer": (
        "put off what a prompt asks",
        (
            _ID,
            Argument(
                "when",
                "when it is asked again: tonight, 22:00, 30m, 1h, 2d",
                (("metavar", "WHEN"),),
            ),
        ),
    ),
    "watch": ("show what happens, until interrupted", ()),
    "bootstrap": (
        "make accounts from a bootstrap document, with or without a running daemon",
        (
            Argument("file", "the document; - is standard input", (("metavar", "FILE"),)),
            Argument(
                "--sec",
                "how it is sealed: NETWPIN, USERPIN, USERNETWPIN, USERPINMAC, or 0 to 3",
                (("default", ""), ("metavar", "SEC")),
            ),
            Argument(
                "--mac", "its MAC, in hexadecimal digits", (("default", ""), ("metavar", "HEX"))
            ),
            Argument(
                "--pin",
                "the PIN, instead of being asked for it; others on the device may see it",
                (("metavar", "PIN"),),
            ),
        ),
    ),
    "install": (
        "install a signed package file of this device, and wait for the end",
        (
            Argument("file", "the package", (("metavar", "FILE"),)),
            Argument(
                "--signature",
                "file with its signature (FILE.sig); 'scomoctl sign --output' makes one",
                (("default", ""), ("metavar", "SIG")),
            ),
            Argument(
                "--kind",
                "what it is, if its name does not end so: deb, ipk, flatpak, bundle",
                (("default", ""), ("metavar", "KIND")),
            ),
            Argument(
                "--server",
                "server it belongs to; may be left out if there is one account",
                (("default", ""), ("metavar", "SERVER")),
            ),
            Argument("--no-wait", "end when it is handed over", (_FLAG,)),
        ),
    ),
    "notify": (
        "hand over a push that another program received",
        (
            Argument(
                "file",
                "its octets, from the transaction id on; - is standard input",
                (("metavar", "FILE"),),
            ),
            Argument("--sms", "FILE is the user data of a short message, header first", (_FLAG,)),
            Argument(
                "--from",
                "who sent it, as the log shall say",
                (("dest", "sender"), ("default", ""), ("metavar", "WHO")),
            ),
        ),
    ),
    "ddf": (
        "print the description of the management tree (DDF), without a daemon",
        (
            Argument(
                "uri",
                "the node to begin at (., the root)",
                (_OPTIONAL, ("default", "."), ("metavar", "URI")),
            ),
        ),
    ),
    "agent": (
        "show prompts and user alerts on this terminal and answer them",
        (
            Argument(
                "--answer",
                "give this answer to all prompts, without asking",
                (("choices", ("yes", "no")),),
            ),
        ),
    ),
    "trace": (
        "list the sessions that were traced, or show one",
        (
            Argument(
                "number",
                "the session, by its ID in the list",
                (_OPTIONAL, ("type", number), ("metavar", "ID")),
            ),
        ),
    ),
    "syncml": (
        "turn a message file from WBXML into XML or back, without a daemon",
        (
            Argument(
                "what", "decode: to XML; encode: to WBXML", (("choices", ("decode", "encode")),)
            ),
            Argument("file", "the message; - is standard input", (("metavar", "FILE"),)),
            Argument("--explain", "print a readable outline instead", (_FLAG,)),
            Argument("--force", "write WBXML even to a terminal", (_FLAG,)),
        ),
    ),
    "sign": (
        "print the InstallParams of a package, with digest, size and signature, without a daemon",
        (
            Argument("file", "the package", (("metavar", "FILE"),)),
            Argument(
                "--key",
                "private key of the signer: a PEM file, or the pkcs11: URI of one on a token",
                (("required", True), ("metavar", "KEY")),
            ),
            Argument(
                "--certificate",
                "certificate of the signer and those that link it to its authority",
                (("default", ""), ("metavar", "CHAIN")),
            ),
            Argument(
                "--output",
                "write the signature, and the certificates, into this file too (FILE.sig)",
                (("default", ""), ("metavar", "SIG")),
            ),
            Argument(
                "--passphrase-file",
                "file with the passphrase of the key, one line",
                (("default", ""), ("metavar", "PASS")),
            ),
            Argument(
                "--pin-file",
                "file with the PIN of the token, one line",
                (("default", ""), ("metavar", "PIN")),
            ),
        ),
    ),
    "config": (
        "show the settings in force, and which file says so",
        (Argument("what", "the one word there is", (("choices", ("show",)), ("metavar", "show"))),),
    ),
    "help": (
        "show this help, or that of a command",
        (
            Argument(
                "topic",
                "the command",
                (_OPTIONAL, ("default", ""), ("metavar", "COMMAND")),
            ),
        ),
    ),
}
