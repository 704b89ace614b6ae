# SPDX-License-Identifier: Apache-2.0
"""A token in a directory: SoftHSM."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

PIN: Final = "1234"
# where distributions put it
MODULE: Final = next(
    (
        str(path)
        for folder in ("/usr/lib/softhsm", "/usr/lib64/softhsm", "/usr/lib64/pkcs11")
        if (path := Path(folder) / "libsofthsm2.so").exists()
    ),
    "libsofthsm2.so",
)


class SoftToken:
    """The token "release" below a directory; it holds the keys that were put in."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.conf = directory / "softhsm2.conf"
        (directory / "tokens").mkdir()
        self.conf.write_text(f"directories.tokendir = {directory}/tokens\nlog.level = ERROR\n")
        self._run("--init-token", "--free", "--label", "release", "--so-pin", "5678")

    def put(self, label: str, number: int, key: Any) -> None:
        """Put in a private key and its public half, with a number as their ID."""
        file = self._directory / "key"
        file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        words = ("--import", str(file), "--token", "release")
        self._run(*words, "--label", label, "--id", f"{number:02}")

    def uri(self, path: str, *more: str) -> str:
        """Return a URI whose path names token and key."""
        return f"pkcs11:{path}?{'&'.join((f'module-path={MODULE}', *more))}"

    def _run(self, *words: str) -> None:
        env = {**os.environ, "SOFTHSM2_CONF": str(self.conf)}
        program = ("softhsm2-util", *words, "--pin", PIN)
        subprocess.run(program, check=True, capture_output=True, env=env)
