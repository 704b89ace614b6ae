# SPDX-License-Identifier: Apache-2.0
"""The sections of the configuration that are about being reached, calling, and the time.

Part of `settings`, which all others import it from.
"""

from __future__ import annotations

from scomod.shapes import WINDOW_SHAPE, WINDOW_WORDS, one_of, shaped, within
from scomod.value import section


@section
class Notification:
    """Where package #0 arrives, what the person hears of it, and how much is kept of parts."""

    udp: bool = True
    udp_address: str = "0.0.0.0"  # noqa: S104 - WAP push comes from the network; the digest guards
    udp_port: int = within(2948, 0, 65535)
    resync_wait_s: float = within(3600.0, 0.0, 30 * 86400.0)
    unspecified: str = one_of("silent", "inform", "ask")
    no_agent: str = one_of("wait", "accept", "decline")
    keep_s: float = within(86400.0, 1.0, 30 * 86400.0)
    sms_port: int = within(2948, 0, 65535)
    sms_wait_s: float = within(600.0, 1.0, 86400.0)
    sms_messages_count: int = within(16, 1, 128)
    sms_parts_count: int = within(16, 2, 128)


@section
class Poll:
    """When the device calls its servers by itself; an interval of 0 means never.

    It calls up to `spread_s` later than it might, and up to `boot_delay_s` after it started.
    """

    interval_s: float = within(86400.0, 0.0, 90 * 86400.0)
    min_interval_s: float = within(900.0, 1.0, 90 * 86400.0)
    spread_s: float = within(3600.0, 0.0, 7 * 86400.0)
    windows: tuple[str, ...] = shaped((), WINDOW_SHAPE, WINDOW_WORDS)
    at_boot: str = one_of("overdue", "always", "never")
    boot_delay_s: float = within(300.0, 0.0, 86400.0)
    on_network: bool = True


@section
class Time:
    """What to do where the clock cannot be right, and when to say that a certificate ends."""

    when_unknown: str = one_of("floor", "refuse")
    warn_expiry_s: float = within(90 * 86400.0, 0.0, 3650 * 86400.0)


@section
class Modem:
    """Who gives us the short messages of a modem, and whether udev says when there is one."""

    service: str = one_of("auto", "ofono", "modemmanager", "off")
    hotplug: bool = False
    answer_timeout_s: float = within(30.0, 0.1, 600.0)
    max_modems_count: int = within(8, 1, 64)
    max_messages_count: int = within(100, 1, 10000)


@section
class Media:
    """Offers of packages on removable media below `dirs`."""

    offers: bool = False
    dirs: tuple[str, ...] = ("media", "run/media", "mnt")
    max_offer_bytes: int = within(65536, 1024, 1 << 20)
    remembered_count: int = within(64, 1, 1000)
