# SPDX-License-Identifier: Apache-2.0
"""A person who is asked and says nothing: `python -m tests.support.mute_agent BUS FILE`.

Registers as the agent; when it is asked it touches FILE and never answers.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

from scomod.busclient import Client


async def main(address: str, file: Path) -> None:
    async def ask(_: dict[str, Any]) -> bool:
        file.with_suffix(".asked").touch()
        await asyncio.Event().wait()
        return False

    async with await Client.connect(address) as client:
        await client.serve_agent(ask, lambda _: None, lambda: file.with_suffix(".ready").touch())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
