# SPDX-License-Identifier: Apache-2.0
"""How we prove ourselves to the web server, where an account says so (omadm §6.1, §8.3).

That is AAuthLevel HTTP with HTTP-BASIC (RFC 7617) or HTTP-DIGEST (RFC 7616), and has
nothing to do with the credentials inside DM messages (`auth`).  Pure: the client's
nonce comes in.  Not here: to whom the header may go, that is for the transport.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from scomod.secret import Secret

# DMAcc's words on the level HTTP; the short ones are only for the messages, but found there
BASIC: Final = ("HTTP-BASIC", "BASIC")
DIGEST: Final = ("HTTP-DIGEST", "DIGEST")
# the strongest first; each also as "-SESS"
ALGORITHMS: Final = {"SHA-256": hashlib.sha256, "MD5": hashlib.md5}
SESSION_SUFFIX: Final = "-SESS"
QOP: Final = "auth"

# a scheme, or a parameter: name=token, name="text"
_WORD: Final = re.compile(
    r"([\w!#$%&'*+.^`|~-]+)(=(?:\"((?:[^\"\\]|\\.)*)\"|([^\s,\"]*)))?", re.ASCII
)
_ESCAPED: Final = re.compile(r"\\(.)")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """What a server wants the digest to be made of."""

    realm: str
    nonce: str
    opaque: str
    algorithm: str
    has_qop: bool

    @property
    def strength(self) -> int:
        """Return how good the algorithm is, 0 for one we do not have."""
        names = list(ALGORITHMS)
        base = self.algorithm.removesuffix(SESSION_SUFFIX)
        return len(names) - names.index(base) if base in names else 0


class Credential(Protocol):
    """What an account says."""

    @property
    def auth_type(self) -> str:
        """Return the AAuthType."""

    @property
    def name(self) -> str:
        """Return the user."""

    @property
    def secret(self) -> Secret:
        """Return the password."""


class HttpLogin:
    """One account's name and password towards its web server, for one DM session."""

    def __init__(self, credential: Credential, fresh_nonce: Callable[[], bytes]) -> None:
        self._is_basic = credential.auth_type.upper() in BASIC
        self._name = credential.name
        self._secret = credential.secret
        self._fresh_nonce = fresh_nonce
        self._challenge: Challenge | None = None
        self._count = 0

    def header(self, method: str, target: str) -> str:
        """Return the value of Authorization for a request, "" before a digest is asked for.

        `target` is path and query as they stand in the request.
        """
        if self._is_basic:
            login = f"{self._name}:{self._secret.reveal()}"
            return f"Basic {b64encode(login.encode()).decode()}"
        return self._digest(self._challenge, method, target) if self._challenge else ""

    def take(self, answer: str) -> bool:
        """Take the WWW-Authenticate of a refusal; tells whether another try makes sense."""
        if self._is_basic:
            return False
        usable = [each for each in challenges(answer) if each.strength and each.nonce]
        best = max(usable, key=lambda each: each.strength, default=None)
        is_new = best is not None and best != self._challenge
        self._challenge, self._count = best, 0
        return is_new

    def _digest(self, asked: Challenge, method: str, target: str) -> str:
        """Compute an answer (RFC 7616 §3.4)."""
        self._count += 1
        count, own_nonce = f"{self._count:08x}", self._fresh_nonce().hex()
        base = asked.algorithm.removesuffix(SESSION_SUFFIX)

        def h(text: str) -> str:
            return ALGORITHMS[base](text.encode()).hexdigest()

        first = h(f"{self._name}:{asked.realm}:{self._secret.reveal()}")
        if base != asked.algorithm:
            first = h(f"{first}:{asked.nonce}:{own_nonce}")
        proven = [asked.nonce, count, own_nonce, QOP] if asked.has_qop else [asked.nonce]
        response = h(":".join([first, *proven, h(f"{method}:{target}")]))
        fields = {
            "username": quoted(self._name),
            "realm": quoted(asked.realm),
            "nonce": quoted(asked.nonce),
            "uri": quoted(target),
            "response": quoted(response),
            "algorithm": asked.algorithm,
        }
        if asked.opaque:
            fields["opaque"] = quoted(asked.opaque)
        if asked.has_qop or base != asked.algorithm:
            fields |= {"qop": QOP, "nc": count, "cnonce": quoted(own_nonce)}
        return "Digest " + ", ".join(f"{name}={value}" for name, value in fields.items())


def challenges(answer: str) -> Iterator[Challenge]:
    """Yield the digests that a WWW-Authenticate offers, which may hold several schemes."""
    for scheme, parameters in _schemes(answer):
        qop = parameters.get("qop", "")
        options = {each.strip().lower() for each in qop.split(",")}
        # only auth-int: we do not hash bodies
        if scheme == "digest" and (not qop or QOP in options):
            yield Challenge(
                realm=parameters.get("realm", ""),
                nonce=parameters.get("nonce", ""),
                opaque=parameters.get("opaque", ""),
                algorithm=parameters.get("algorithm", "MD5").upper(),
                has_qop=bool(qop),
            )


def _schemes(answer: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    scheme = ""
    parameters: dict[str, str] = {}
    for word in _WORD.finditer(answer):
        if word[2] is None:
            yield scheme, parameters
            scheme, parameters = word[1].lower(), {}
        else:
            text = _ESCAPED.sub(r"\1", word[3]) if word[4] is None else word[4]
            parameters[word[1].lower()] = text
    yield scheme, parameters


def quoted(text: str) -> str:
    """Return a quoted string for a header, control characters left out (RFC 9110 §5.6.4)."""
    safe = _CONTROL.sub("", text).replace("\\", "\\\\").replace('"', '\\"')
    # headers travel as Latin-1, what we mean is UTF-8
    return f'"{safe}"'.encode().decode("latin-1")
