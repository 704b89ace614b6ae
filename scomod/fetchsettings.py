# SPDX-License-Identifier: Apache-2.0
"""The sections of the configuration that are about fetching packages, and their defaults.

Part of `settings`, which all others import it from.
"""

from __future__ import annotations

from scomod.shapes import (
    GIB,
    MIB,
    PIN_SHAPE,
    SCHEME_SHAPE,
    SCHEME_WORDS,
    SERVER_PROXY_SHAPE,
    SERVER_PROXY_WORDS,
    WINDOW_SHAPE,
    WINDOW_WORDS,
    one_of,
    shaped,
    within,
)
from scomod.value import section


@section
class Download:
    """Limits of fetching a package; empty `ca_file` and `proxy` mean those of [transport]."""

    ca_file: str = ""
    proxy: str = shaped("", SERVER_PROXY_SHAPE, SERVER_PROXY_WORDS)
    proxy_login_file: str = ""
    max_bytes: int = within(4 * GIB, 1024, 1 << 50)
    max_descriptor_bytes: int = within(64 * 1024, 1024, MIB)
    reserve_bytes: int = within(8 * MIB, 0, 1 << 40)
    connect_timeout_s: float = within(15.0, 0.1, 600.0)
    idle_timeout_s: float = within(60.0, 0.1, 3600.0)
    total_timeout_s: float = within(86400.0, 1.0, 30 * 86400.0)
    schemes: tuple[str, ...] = shaped(("https", "http"), SCHEME_SHAPE, SCHEME_WORDS)
    file_dirs: tuple[str, ...] = ()
    max_rate_bytes: int = within(0, 0, GIB)
    min_rate_bytes: int = within(100, 0, MIB)
    stall_s: float = within(120.0, 0.1, 3600.0)
    attempts_count: int = within(10, 1, 100)
    retry_wait_s: float = within(30.0, 0.05, 86400.0)
    retry_wait_max_s: float = within(3600.0, 0.05, 86400.0)
    retry_after_max_s: float = within(3600.0, 0.05, 7 * 86400.0)
    max_attempts_count: int = within(1000, 1, 100000)
    max_fetched_ratio: float = within(3.0, 1.0, 1000.0)
    give_up_s: float = within(14 * 86400.0, 1.0, 365 * 86400.0)
    day_max_bytes: int = within(0, 0, 1 << 50)
    windows: tuple[str, ...] = shaped((), WINDOW_SHAPE, WINDOW_WORDS)
    on_unmetered_network: bool = False
    metered_max_bytes: int = within(0, 0, 1 << 50)
    spread_s: float = within(1800.0, 0.0, 86400.0)
    parallel_count: int = within(1, 1, 8)
    delta: str = one_of("offered", "never")
    delta_fallback: str = one_of("whole", "never")
    delta_max_memory_bytes: int = within(256 * MIB, 40 * MIB, 1 << 40)
    delta_timeout_s: float = within(600.0, 1.0, 86400.0)
    notice_attempts_count: int = within(12, 1, 100)
    notice_max_age_s: float = within(7 * 86400.0, 1.0, 90 * 86400.0)
    max_notices_count: int = within(64, 1, 1000)


@section
class Source:
    """What holds for one package server only; an empty text means: as in [download]."""

    ca_file: str = ""
    pins: tuple[str, ...] = shaped((), PIN_SHAPE, "SHA-256 of a public key in base64")
    certificate_file: str = ""
    key_file: str = ""
    min_tls: str = one_of("1.2", "1.3")
    login_file: str = ""
    proxy: str = shaped("", SERVER_PROXY_SHAPE, SERVER_PROXY_WORDS)
    proxy_login_file: str = ""
    max_rate_bytes: int = within(0, 0, GIB)
