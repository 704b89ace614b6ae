# SPDX-License-Identifier: Apache-2.0
"""A text that must not be seen: passwords and what is as good as one (I19).

Not encryption: it only keeps a secret out of logs, tracebacks and dumps by
accident.  Whoever needs the text says so with `reveal()`, which can be searched for.
"""

import re
from typing import Final
from urllib.parse import unquote

SHOWN: Final = "***"
# Names of leaves that hold a secret: those of accounts (omadm §8.3, also DM 1.1's), and what
# other objects may call theirs.
_LEAF: Final = re.compile("secret|authdata|nonce|clientpw|serverpw|passw|pwd|psk")
_URL_USER: Final = re.compile(r"://[^/@\s]+@")
# The part of a URL behind its path: a presigned one has its signature there.
# Both are compiled with their first use, which a waiting daemon has none of.
_URL_QUERY: Final = r"(://[^\s?#\"'<>]*)[?#][^\s\"'<>]*"
# A word that says a secret follows, as in "password=x", "PIN: 1234" and "Authorization: Basic x".
_NAMED: Final = (
    r"(?i)([\w-]*(?:secret|authdata|nonce|clientpw|serverpw|passw|passphrase|pwd|psk|token|\bpin\b|\bimsi\b)"
    r"[\w-]*[\"']?\s*[=:]\s*|authorization:\s*(?:\w+\s+)?)"
    r"(\"[^\"]*\"|'[^']*'|[^\s,;]+)"
)


def is_secret_uri(uri: str) -> bool:
    """Tell whether a node, by its URI or its name alone, holds a secret; spelling does not help."""
    leaf = uri.partition("?")[0].rstrip("/").rpartition("/")[2]
    return _LEAF.search(unquote(leaf).lower()) is not None


def without_passwords(text: str) -> str:
    """Blank the user parts of URLs."""
    return _URL_USER.sub(f"://{SHOWN}@", text)


def blanked(text: str) -> str:
    """Blank what may be a secret in a text that leaves the device: too much rather than too little.

    User part and query of URLs, and whatever follows a word such as "password=".
    """
    bare = re.sub(_URL_QUERY, rf"\1?{SHOWN}", without_passwords(text))
    return re.sub(_NAMED, rf"\1{SHOWN}", bare)


class Secret:
    """Hold a text that prints as `***`; equal to another holder of the same text."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself."""
        return self._text

    def __repr__(self) -> str:
        return SHOWN

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        from hmac import compare_digest  # noqa: PLC0415 - brings OpenSSL, the waiting daemon needs none

        return compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._text))
