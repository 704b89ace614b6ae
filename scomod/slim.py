"""Keeps OpenSSL out of a process that mostly waits.

asyncio imports `ssl` if it can, only to offer TLS streams of its own.  The daemon
uses none: its HTTP clients bring TLS themselves, and late (`net`).
"""

from __future__ import annotations

import sys


def import_asyncio() -> None:
    """Import asyncio as if there were no `ssl`; afterwards `import ssl` works as ever.

    To be called before anything else brings asyncio in; too late it does nothing.
    """
    if "asyncio" in sys.modules or "ssl" in sys.modules:
        return
    sys.modules["ssl"] = None  # type: ignore[assignment]  # makes `import ssl` an ImportError
    try:
        import asyncio  # noqa: F401, PLC0415
    finally:
        del sys.modules["ssl"]
