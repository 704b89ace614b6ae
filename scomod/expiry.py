# SPDX-License-Identifier: Apache-2.0
"""When certificates end: those that the configuration names, and those met in sessions.

It is announced long before (`time.warn_expiry_s`), by a line in the log on each day with a
session, and to whoever asks.  Nothing is written for that.  Not whether one counts: `tls`, `trust`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from scomod.knowntime import in_utc
from scomod.log import Event, announce
from scomod.value import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scomod.settings import Paths, Settings

log = logging.getLogger(__name__)

DAY_S: Final = 86400.0
SUFFIX: Final = ".pem"


@frozen
class Expiry:
    """When a file's certificates end (wall time, 0 with a `problem`); `what` is who named it."""

    what: str
    file: str
    ends_s: float
    problem: str = ""


def expiries(settings: Settings, paths: Paths) -> list[Expiry]:
    """Return when the certificates end that the configuration names, in its order.

    Of authorities in one file the last counts, of a certificate with its links the first;
    those of the system are the distribution's business.
    """
    found = {(what, file): choose for what, file, choose in _named(settings, paths)}
    return [one for (what, file), choose in found.items() for one in _of(what, file, choose)]


def _named(settings: Settings, paths: Paths) -> Iterator[tuple[str, str, Callable[..., float]]]:
    """Yield who names which file, and whether the first or the last end in it counts."""
    places = [("transport", settings.transport), ("download", settings.download)]
    places += [(f'server."{each}"', own) for each, own in settings.servers.items()]
    places += [(f'source."{each}"', own) for each, own in settings.sources.items()]
    for name, section in places:
        for key, choose in (("ca_file", max), ("certificate_file", min)):
            if file := getattr(section, key, ""):
                yield f"{name}.{key}", str(paths.below_root(file)), choose
    for folder in dict.fromkeys((settings.verify.trust_dir, settings.verify.key_dir)):
        if folder:
            for path in sorted(paths.below_root(folder).glob(f"*{SUFFIX}")):
                yield "verify.trust_dir", str(path), max


def _of(what: str, file: str, choose: Callable[..., float]) -> Iterator[Expiry]:
    from pathlib import Path  # noqa: PLC0415 - who only meets certificates needs none of this

    from scomod.certificates import PEM_HEAD, read, valid_until  # noqa: PLC0415 - as above

    try:
        octets = Path(file).read_bytes()
        if PEM_HEAD in octets or what != "verify.trust_dir":  # there also keys lie
            ends_s = choose(valid_until(each).timestamp() for each in read(octets))
            yield Expiry(what=what, file=file, ends_s=ends_s)
    except OSError as error:
        problem = error.strerror or "it cannot be read"
        yield Expiry(what=what, file=file, ends_s=0.0, problem=problem)
    except ValueError:
        yield Expiry(what=what, file=file, ends_s=0.0, problem="it holds no certificate")


class Announcer:
    """Announces the end of certificates that were met; `now_s` is the time as far as known."""

    def __init__(self, warn_s: float, now_s: Callable[[], float]) -> None:
        self._warn_s = warn_s
        self._now_s = now_s
        self._told_s: dict[str, float] = {}

    def met(self, server: str, ends: Sequence[tuple[str, float]]) -> None:
        """Take which certificates were met in a session, and when they end."""
        for whose, ends_s in ends:
            now_s, key = self._now_s(), f"{server} {whose}"
            is_new = not 0 <= now_s - self._told_s.get(key, -DAY_S) < DAY_S
            if ends_s - now_s < self._warn_s and is_new:
                self._told_s[key] = now_s
                text = "%s, in sessions with %s, ends on %s: a new one is needed before"
                announce(log, Event.CERTIFICATE_ENDS, text, whose, server, in_utc(ends_s))
