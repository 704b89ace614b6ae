# SPDX-License-Identifier: Apache-2.0
"""Makes docs/pictures/console.png: the console beside a device that was just given software.

    python -m tests.support.console_picture [FILE]

Everything in it is real; only times, numbers of sessions and correlators differ each time.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from scomod.lab.packages import Recipe
from tests.support.browser import Browser
from tests.support.rig import ROOT, Rig

PICTURE = ROOT / "docs/pictures/console.png"
MOST_BYTES = 250 << 10
SIZE = (1280, 860)
SETTLED_S = 1.0
PACKAGES = [
    Recipe(name="gateway", version="3.1", summary="reads meters", files={"usr/share/gw": "a\n"}),
    Recipe(name="panel", version="1.4", summary="shows values", files={"usr/share/panel": "b\n"}),
]
SOFTWARE = "./SCOMO/Inventory ./SCOMO/Download"


def live(rig: Rig) -> None:
    """Give the device a history: two packages, one of them switched off and on."""
    rig.start_daemon()
    rig.start_helper()
    rig.until_up()
    rig.bootstrap()
    for recipe in PACKAGES:
        order = rig.order_install(rig.payload(recipe))
        rig.session()
        rig.result_of(order)
        rig.until_reported()
    rig.order("component", id=PACKAGES[-1].name, primitive="Deactivate")
    rig.session()
    rig.until_reported()
    rig.order("read", uris=SOFTWARE)
    rig.session()
    rig.order("component", id=PACKAGES[-1].name, primitive="Activate")
    rig.session()
    rig.until_reported()


async def taken(rig: Rig, folder: Path) -> bytes:
    """Look at the device's page and return the picture."""
    certificate = rig.bench.pki.server_file.read_bytes()
    async with Browser.started(folder, certificate) as browser:
        page = await browser.page(*SIZE)
        await page.go(f"{rig.bench.console_url}#/device/{rig.account.user}")
        await page.until("document.querySelectorAll('main table tbody tr').length > 5")
        await asyncio.sleep(SETTLED_S)
        return await page.picture()


def main() -> None:
    """Write the picture; fails if it became too large for a page."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE
    with tempfile.TemporaryDirectory(prefix="scomod-picture-") as name, Rig(Path(name)) as rig:
        live(rig)
        picture = asyncio.run(taken(rig, Path(name)))
    assert len(picture) < MOST_BYTES, len(picture)
    target.write_bytes(picture)


if __name__ == "__main__":
    main()
