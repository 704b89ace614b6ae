# SPDX-License-Identifier: Apache-2.0
"""Every setting, its type, its default and what it may be; data only.

The names of sections and keys are what stands in `scomod.toml`.  Units are in
the names: `_s` seconds, `_bytes` octets, `_count` pieces.  `config.py` fills
these values from files; `Paths` (`paths.py`) says where a device keeps its things.
A `section` is immutable by its type.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - `config` reads the types at run time
from dataclasses import field

from scomod.fetchsettings import Download as Download  # noqa: PLC0414 - as `Paths`
from scomod.fetchsettings import Source as Source  # noqa: PLC0414 - as `Paths`
from scomod.installsettings import Bundle as Bundle  # noqa: PLC0414 - as `Paths`
from scomod.installsettings import Dpkg as Dpkg  # noqa: PLC0414 - as `Paths`
from scomod.installsettings import Flatpak as Flatpak  # noqa: PLC0414 - as `Paths`
from scomod.installsettings import Install as Install  # noqa: PLC0414 - as `Paths`
from scomod.installsettings import Opkg as Opkg  # noqa: PLC0414 - as `Paths`
from scomod.installsettings import Program as Program  # noqa: PLC0414 - as `Paths`
from scomod.installsettings import SelfUpdate as SelfUpdate  # noqa: PLC0414 - as `Paths`
from scomod.installsettings import Systemd as Systemd  # noqa: PLC0414 - as `Paths`
from scomod.paths import Paths as Paths  # noqa: PLC0414 - settings and paths go together
from scomod.quirk import Quirk
from scomod.shapes import (
    GIB,
    GLOB_SHAPE,
    GLOB_WORDS,
    LANGUAGE_SHAPE,
    LANGUAGE_WORDS,
    MIB,
    PIN_SHAPE,
    PROXY_SHAPE,
    PROXY_WORDS,
    SERVER_ID_SHAPE,
    SERVER_IDS_SHAPE,
    SERVER_IDS_WORDS,
    SERVER_PROXY_SHAPE,
    SERVER_PROXY_WORDS,
    TIME_SHAPE,
    WINDOW_SHAPE,
    WINDOW_WORDS,
    one_of,
    shaped,
    within,
)
from scomod.supportsettings import Metrics as Metrics  # noqa: PLC0414 - as `Paths`
from scomod.supportsettings import Recorder as Recorder  # noqa: PLC0414 - as `Paths`
from scomod.value import section
from scomod.wakesettings import Media as Media  # noqa: PLC0414 - as `Paths`
from scomod.wakesettings import Modem as Modem  # noqa: PLC0414 - as `Paths`
from scomod.wakesettings import Notification as Notification  # noqa: PLC0414 - as `Paths`
from scomod.wakesettings import Poll as Poll  # noqa: PLC0414 - as `Paths`
from scomod.wakesettings import Time as Time  # noqa: PLC0414 - as `Paths`


@section
class Device:
    """What ./DevInfo and ./DevDetail say; an empty `id` is made up once and kept."""

    id: str = ""
    manufacturer: str = "unknown"
    model: str = "unknown"
    language: str = "en"
    device_type: str = "embedded"
    oem: str = "unknown"
    firmware_version: str = "0"
    software_version: str = "0"
    hardware_version: str = "0"


@section
class Daemon:
    """When a daemon that is not resident leaves: after so long, if nothing is due sooner.

    What gets on no more for `stuck_after_s` beyond its own limits is left to the watchdog.
    """

    idle_exit_s: float = within(30.0, 0.1, 86400.0)
    min_absence_s: float = within(20.0, 0.1, 86400.0)
    stuck_after_s: float = within(600.0, 0.1, 86400.0)


@section
class Transport:
    """The way to the DM server; an empty `ca_file` means the system's authorities."""

    allow_http: bool = False
    ca_file: str = ""
    encoding: str = one_of("wbxml", "xml")
    proxy: str = shaped("", PROXY_SHAPE, PROXY_WORDS)
    proxy_login_file: str = ""
    connect_timeout_s: float = within(15.0, 0.1, 600.0)
    read_timeout_s: float = within(60.0, 0.1, 3600.0)
    exchange_timeout_s: float = within(180.0, 0.1, 7200.0)
    max_header_bytes: int = within(32768, 1024, MIB)
    max_cookies_count: int = within(50, 0, 1000)


@section
class Server:
    """What holds for one DM server only; an empty text means: as in [transport], -1: as in [poll].

    `auth` is how we prove ourselves to this server, empty as its account says;
    `protocol` is the version of OMA DM that it speaks.
    """

    ca_file: str = ""
    pins: tuple[str, ...] = shaped((), PIN_SHAPE, "SHA-256 of a public key in base64")
    certificate_file: str = ""
    key_file: str = ""
    min_tls: str = one_of("1.2", "1.3")
    proxy: str = shaped("", SERVER_PROXY_SHAPE, SERVER_PROXY_WORDS)
    proxy_login_file: str = ""
    encoding: str = one_of("", "wbxml", "xml")
    protocol: str = one_of("1.2", "1.1")
    auth: str = one_of("", "basic", "digest", "hmac")
    poll_interval_s: float = within(-1.0, -1.0, 90 * 86400.0)
    poll_windows: tuple[str, ...] = shaped((), WINDOW_SHAPE, WINDOW_WORDS)
    nonce_resync: bool = False
    manages: tuple[str, ...] = shaped((), SERVER_ID_SHAPE, "server identifiers")
    quirks: tuple[str, ...] = shaped((), "|".join(Quirk), "words of docs/scomo.md")


@section
class Session:
    """Limits of a DM session."""

    max_msg_bytes: int = within(65536, 2048, 16 * MIB)
    max_obj_bytes: int = within(MIB, 2048, 4 * GIB)
    reserve_bytes: int = within(8 * MIB, 0, 1 << 40)
    max_messages_count: int = within(200, 4, 100000)
    max_duration_s: float = within(3600.0, 1.0, 86400.0)
    max_depth_count: int = within(32, 8, 64)
    max_commands_count: int = within(1000, 10, 100000)
    user_alert_timeout_s: float = within(120.0, 0.1, 3600.0)
    user_alert_attempts_count: int = within(5, 1, 100)
    max_alert_text_bytes: int = within(4096, 64, MIB)
    max_choices_count: int = within(64, 1, 1000)
    max_choice_bytes: int = within(256, 8, 65536)
    max_input_count: int = within(1024, 1, 65536)
    retry_count: int = within(5, 0, 20)
    retry_wait_s: float = within(30.0, 0.05, 86400.0)
    retry_wait_max_s: float = within(3600.0, 0.05, 86400.0)
    poll_retry_wait_s: float = within(14400.0, 0.05, 7 * 86400.0)
    retry_after_max_s: float = within(3600.0, 0.05, 7 * 86400.0)


@section
class Subtree:
    """Limits of sub-trees that come and go as one (TNDS, "?list="); who may use ./Inbox."""

    max_document_bytes: int = within(MIB, 2048, 64 * MIB)
    max_nodes_count: int = within(10000, 1, 1000000)
    max_depth_count: int = within(16, 1, 48)
    max_listed_bytes: int = within(16 * MIB, 2048, GIB)
    inbox_servers: tuple[str, ...] = shaped(("*",), SERVER_IDS_SHAPE, SERVER_IDS_WORDS)


@section
class Bootstrap:
    """Documents that make accounts: which are trusted, and what follows."""

    imsi: str = shaped("", "[0-9]{6,15}", "6 to 15 digits")
    unsigned: str = one_of("refuse", "accept")
    first_session: str = one_of("always", "asked")
    account_servers: tuple[str, ...] = shaped(("*",), SERVER_IDS_SHAPE, SERVER_IDS_WORDS)
    push_servers: tuple[str, ...] = shaped(("*",), SERVER_IDS_SHAPE, SERVER_IDS_WORDS)
    push_existing: str = one_of("refuse", "pin", "replace")
    pin_tries_count: int = within(3, 1, 10)
    pin_timeout_s: float = within(600.0, 0.1, 86400.0)
    max_waiting_count: int = within(4, 1, 32)
    max_waiting_s: float = within(7 * 86400.0, 1.0, 365 * 86400.0)
    max_document_bytes: int = within(65536, 1024, 16 * MIB)


@section
class Rule:
    """Who is asked about what: each part is a pattern with * and ?, all must fit."""

    server: str = "*"
    operation: str = "*"
    component: str = "*"
    mode: str = one_of("ask", "inform", "silent", "refuse")


@section
class Confirm:
    """Asking the person at the device; the first of the rules that fits counts."""

    default: str = one_of("ask", "inform", "silent", "refuse")
    rule: tuple[Rule, ...] = ()
    inventory: str = one_of("silent", "inform", "ask", "refuse")
    no_agent: str = one_of("defer", "accept", "decline")
    server_confirmation: str = one_of("ignore", "counts")
    deadline_s: float = within(7 * 86400.0, 0.1, 365 * 86400.0)
    at_deadline: str = one_of("decline", "accept")
    max_deferrals_count: int = within(3, 0, 10)
    tonight: str = shaped("22:00", TIME_SHAPE, "HH:MM")
    tell: str = one_of("asked", "always", "never")
    language: str = shaped("", LANGUAGE_SHAPE, LANGUAGE_WORDS)


@section
class Admission:
    """When an operation that was consented to may begin; nothing set: at once."""

    windows: tuple[str, ...] = shaped((), WINDOW_SHAPE, WINDOW_WORDS)
    on_mains_power: bool = False
    on_unmetered_network: bool = False
    unknown: str = one_of("met", "unmet")
    max_wait_s: float = within(7 * 86400.0, 0.1, 365 * 86400.0)
    at_max_wait: str = one_of("fail", "proceed")


@section
class Verify:
    """What a package must prove; keys and authorities are PEM files in two folders."""

    signature: str = one_of("required", "optional")
    trust_dir: str = "etc/scomod/trust.d"
    key_dir: str = "etc/scomod/keys"
    fetch_signature: str = one_of("auto", "always", "never")
    max_certificate_bytes: int = within(16384, 1024, 49152)
    max_chain_count: int = within(4, 1, 8)


@section
class Inventory:
    """Which components servers see: those that `show` matches and `hide` does not.

    What a server brought is always shown.
    """

    show: tuple[str, ...] = shaped(("*",), GLOB_SHAPE, GLOB_WORDS)
    hide: tuple[str, ...] = shaped((), GLOB_SHAPE, GLOB_WORDS)
    max_baseline_bytes: int = within(MIB, 1024, 64 * MIB)


@section
class Scomo:
    """The SCOMO management object; `root` is its URI.

    `factory_owner` is the server that owns what nobody brought, "*" for all, "" for none;
    the limits are those of single leaves.
    """

    root: str = "./SCOMO"
    version: str = one_of("1.0", "1.1")
    request_alerts: str = one_of("auto", "scomo", "fumo", "off")
    factory_owner: str = shaped("*", SERVER_IDS_SHAPE, 'a server identifier or "*"')
    download_nodes: tuple[str, ...] = shaped((), "[A-Za-z0-9_-]{1,32}", "names of nodes")
    max_pkg_id_bytes: int = within(256, 16, 65536)
    max_name_bytes: int = within(128, 16, 65536)
    max_description_bytes: int = within(512, 16, 65536)
    max_url_bytes: int = within(2048, 16, 65536)
    max_params_bytes: int = within(65536, 16, 65536)
    max_type_bytes: int = within(100, 16, 65536)


@section
class Health:
    """Looking after what became active: how long it must stay well; 0 switches that off."""

    time_s: float = within(0.0, 0.0, 86400.0)
    checks_dir: str = "usr/lib/scomod/checks"
    check_timeout_s: float = within(30.0, 1.0, 3600.0)


@section
class Reboot:
    """Restarting the device for a package; `numbers` are words for the numbers in the leaf."""

    by: str = one_of("helper", "person", "never")
    numbers: tuple[str, ...] = shaped(
        ("none", "before", "after", "both"), "none|before|after|both", "none, before, after, both"
    )
    wait_s: float = within(86400.0, 1.0, 90 * 86400.0)
    program: tuple[str, ...] = ("systemctl", "reboot")


@section
class Quarantine:
    """How long a version that failed is left alone: doubling from `first_s` to `max_s`."""

    first_s: float = within(3600.0, 0.0, 90 * 86400.0)
    max_s: float = within(30 * 86400.0, 0.0, 365 * 86400.0)
    max_entries_count: int = within(100, 1, 1000)


@section
class History:
    """How much is remembered of finished operations."""

    keep_count: int = within(500, 1, 10000)


@section
class Request:
    """What the device asks of its servers by itself (scomo §4.6)."""

    check_interval_s: float = within(0.0, 0.0, 90 * 86400.0)
    max_waiting_count: int = within(16, 1, 1000)


@section
class Log:
    """How much is said."""

    level: str = one_of("info", "debug", "warning", "error")
    trace: str = one_of("off", "headers", "full")
    trace_files_count: int = within(20, 1, 1000)
    trace_file_bytes: int = within(256 * 1024, 4096, 16 * MIB)


@section
class Settings:
    """The complete configuration of one device; `servers` by server identifier.

    `sources` are by the names of their hosts, in small letters.
    """

    device: Device = field(default_factory=Device)
    daemon: Daemon = field(default_factory=Daemon)
    transport: Transport = field(default_factory=Transport)
    servers: Mapping[str, Server] = field(default_factory=dict)
    session: Session = field(default_factory=Session)
    subtree: Subtree = field(default_factory=Subtree)
    bootstrap: Bootstrap = field(default_factory=Bootstrap)
    notification: Notification = field(default_factory=Notification)
    modem: Modem = field(default_factory=Modem)
    media: Media = field(default_factory=Media)
    poll: Poll = field(default_factory=Poll)
    time: Time = field(default_factory=Time)
    confirm: Confirm = field(default_factory=Confirm)
    admission: Admission = field(default_factory=Admission)
    download: Download = field(default_factory=Download)
    sources: Mapping[str, Source] = field(default_factory=dict)
    verify: Verify = field(default_factory=Verify)
    install: Install = field(default_factory=Install)
    inventory: Inventory = field(default_factory=Inventory)
    scomo: Scomo = field(default_factory=Scomo)
    health: Health = field(default_factory=Health)
    reboot: Reboot = field(default_factory=Reboot)
    self_update: SelfUpdate = field(default_factory=SelfUpdate)
    quarantine: Quarantine = field(default_factory=Quarantine)
    history: History = field(default_factory=History)
    request: Request = field(default_factory=Request)
    log: Log = field(default_factory=Log)
    recorder: Recorder = field(default_factory=Recorder)
    metrics: Metrics = field(default_factory=Metrics)

    def server(self, server_id: str) -> Server:
        """Return what holds for one server; one without a section has the defaults."""
        return self.servers.get(server_id) or Server()

    @property
    def calls_by_itself(self) -> bool:
        """Tell whether there may be a server that is called every so often."""
        own = (each.poll_interval_s for each in self.servers.values())
        return self.poll.interval_s > 0 or any(each > 0 for each in own)

    def source(self, host: str) -> Source:
        """Return what holds for one package server; one without a section has the defaults."""
        return self.sources.get(host.lower()) or Source()
