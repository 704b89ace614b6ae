"""A text that must not be seen: passwords and what is as good as one (I19).

Not encryption: it only keeps a secret out of logs, tracebacks and dumps by
accident.  Whoever needs the text says so with `reveal()`, which can be searched for.
"""

from typing import Final

SHOWN: Final = "***"


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
