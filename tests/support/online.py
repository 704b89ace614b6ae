# SPDX-License-Identifier: Apache-2.0
"""A whole device in this process that fetches by HTTP (`handset`), for orders to download."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from scomod.clock import SystemClock
from scomod.download.mirrors import open_fetcher
from scomod.settings import Download, Settings, Transport
from tests.support.executing import add, execute
from tests.support.handset import Handset, settings_of

if TYPE_CHECKING:
    from scomod.download.job import Fetcher


class Online(Handset):
    """Fetches from real servers on the loopback."""

    def open_fetcher(self) -> Fetcher:
        return open_fetcher(clock=SystemClock(), boot_id="this boot", user_agent="scomod test")


def online_settings(**download: Any) -> Settings:
    """Return settings for plain http; `download` are keys of [download]."""
    limits = Download(**({"reserve_bytes": 0, "spread_s": 0.0} | download))
    return replace(settings_of(), download=limits, transport=Transport(allow_http=True))


def order_download(device: Handset, node: str, url: str, params: str = "") -> None:
    """Exec a Download; its correlator is the name of the node."""
    uri = f"./SCOMO/Download/{node}"
    told = [add(f"{uri}/InstallParams", params)] if params else []
    commands = [add(f"{uri}/PkgID", node), add(f"{uri}/PkgURL", url), *told]
    codes = device.codes("srv", *commands, execute(f"{uri}/Operations/Download", node))
    assert codes == [*(200 for _ in commands), 202]
