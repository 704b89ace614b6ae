# SPDX-License-Identifier: Apache-2.0
"""A modem with a SIM, as far as oFono and ModemManager look at one: it takes AT commands.

Commands are those of 3GPP TS 27.005 and 27.007.  A message comes as the program wants it
(AT+CNMI): handed over at once, or kept in the memory of the modem and announced, the next
when the one before was read, as a network brings them one by one.  News come in a silence:
ModemManager 1.20 loses what follows an answer at once.  They come again while nobody reads.
"""

from __future__ import annotations

import contextlib
import fcntl
import re
import socket
import struct
import termios
import threading
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable

IMSI = "246813579012345"
MEMORY_COUNT = 20
AGAIN_S = 3.0
ANSWERS = {
    "+CGMI": "Sim", "+CGMM": "Sim", "+CGMR": "1", "+CGSN": "359999999999999", "+CIMI": IMSI,
    "+GMI": "Sim", "+GMM": "Sim", "+GMR": "1", "+GSN": "359999999999999", "+GCAP": "+GCAP: +CGSM",
    "+CPIN?": "+CPIN: READY", "+CFUN?": "+CFUN: 1", "+CSQ": "+CSQ: 20,99",
    "+CSMS=?": "+CSMS: (0,1)", "+CSMS?": "+CSMS: 1,1,1,1", "+CMGF=?": "+CMGF: (0,1)",
    "+CPMS=?": '+CPMS: ("SM","ME"),("SM","ME"),("SM","ME")',
    "+CNMI=?": "+CNMI: (0-2),(0,2),(0,2),(0,1),(0,1)",
    "+CREG=?": "+CREG: (0-2)", "+CREG?": '+CREG: 2,1,"1","1"',
    "+CGREG=?": "+CGREG: (0-2)", "+CGREG?": "+CGREG: 2,1",
    "+COPS?": '+COPS: 0,2,"24681"', "+CSCS=?": '+CSCS: ("GSM","UCS2")', "+CSCS?": '+CSCS: "GSM"',
    "+SIMSTATE?": "+SIMSTATE: 1",
    "+CRSM=176,12258,0,0,10": '+CRSM: 144,0,"989422024754212460F6"',
}  # fmt: skip
REFUSED = re.compile(r"\+(CRSM|CUAD|CBC|CPINR|CUSD|CSIM|CCWA)|.*=\?")


class AtModem:
    """Listens until it is left; one program at a time, the newest."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self._programs: list[socket.socket] = []  # the last is there, unless it went
        self._lock = threading.Lock()
        self._is_direct = self._is_wanted = False
        self._unread: list[int] = []
        self._is_announced = False
        self.kept: dict[int, str] = {}
        self.asked: list[str] = []

    @classmethod
    def on_tcp(cls) -> Self:
        return cls(socket.create_server(("127.0.0.1", 0)))

    @classmethod
    def on_abstract_name(cls, name: str) -> Self:
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(f"\0{name}")
        listening.listen()
        return cls(listening)

    @property
    def port(self) -> int:
        return int(self._listening.getsockname()[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for program in self._programs:
            program.close()

    # the network's side

    def deliver(self, pdu: str) -> None:
        """Have a message arrive, a PDU in hexadecimal digits with the centre's address."""
        with self._lock:
            if self._is_direct:
                self._write(f"+CMT: ,{_length(pdu)}\r\n{pdu}")
                return
            place = next(n for n in range(1, MEMORY_COUNT + 1) if n not in self.kept)
            self.kept[place] = pdu
            self._unread.append(place)
            self._announce()

    def _announce(self) -> None:
        if self._unread and not self._is_announced and self._is_wanted:
            self._is_announced = True
            what = self._programs[-1], self._unread[0]
            threading.Thread(target=self._tell, args=what, daemon=True).start()

    def _tell(self, program: socket.socket, place: int) -> None:
        said_s = -AGAIN_S
        with contextlib.suppress(OSError):
            while place in self._unread and program is self._programs[-1]:
                if time.monotonic() - said_s >= AGAIN_S and not _waiting_bytes(program):
                    with self._lock:
                        self._write(f'+CMTI: "SM",{place}')
                    said_s = time.monotonic()
                time.sleep(0.02)

    def is_read(self) -> bool:
        """Tell whether the program has read all that was announced."""
        return not self._unread

    # the program's side

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                program, _ = self._listening.accept()
                self._programs.append(program)
                self._is_direct = self._is_wanted = self._is_announced = False
                threading.Thread(target=self._serve, args=(program,), daemon=True).start()

    def _serve(self, program: socket.socket) -> None:
        rest = b""
        with contextlib.suppress(OSError):
            while octets := program.recv(4096):
                *lines, rest = (rest + octets).replace(b"\n", b"").split(b"\r")
                for line in filter(None, lines):
                    with self._lock:
                        self._answer(line.decode("latin-1").strip())

    def _answer(self, line: str) -> None:
        self.asked.append(line)
        said = self._said(line.removeprefix("AT"))
        self._write("ERROR" if said is None else f"{said}\r\n\r\nOK" if said else "OK")
        self._announce()

    def _write(self, text: str) -> None:
        if self._programs:
            with contextlib.suppress(OSError):
                self._programs[-1].sendall(f"\r\n{text}\r\n".encode())

    def _said(self, command: str) -> str | None:
        """Obey; returns what is said before OK, None for a refusal."""
        if command in ANSWERS:
            return ANSWERS[command]
        for pattern, act in ACTS:
            if found := pattern.fullmatch(command):
                return act(self, *found.groups())
        return None if REFUSED.match(command) else ""

    def _want(self, how: str) -> str:
        self._is_wanted, self._is_direct = how != "0", how == "2"
        return ""

    def _storages(self) -> str:
        used = f"{len(self.kept)},{MEMORY_COUNT}"
        return f"+CPMS: {used},{used},{used}"

    def _read(self, place: str) -> str | None:
        pdu = self.kept.get(int(place))
        if int(place) in self._unread:
            self._unread.remove(int(place))
            self._is_announced = False
        return None if pdu is None else f"+CMGR: 0,,{_length(pdu)}\r\n{pdu}"

    def _list(self) -> str:
        self._unread.clear()
        rows = (f"+CMGL: {n},0,,{_length(pdu)}\r\n{pdu}" for n, pdu in sorted(self.kept.items()))
        return "\r\n".join(rows)

    def _delete(self, place: str) -> str | None:
        return None if self.kept.pop(int(place), None) is None else ""


ACTS: tuple[tuple[re.Pattern[str], Callable[..., str | None]], ...] = (
    (re.compile(r"\+CNMI=\d,(\d).*"), AtModem._want),
    (re.compile(r"\+CPMS=.*"), AtModem._storages),
    (re.compile(r"\+CMGR=(\d+)"), AtModem._read),
    (re.compile(r"\+CMGL=4"), AtModem._list),
    (re.compile(r"\+CMGD=(\d+)(?:,0)?"), AtModem._delete),
)


def _waiting_bytes(program: socket.socket) -> int:
    """Return how much the program has not read yet."""
    count = fcntl.ioctl(program, termios.TIOCOUTQ, struct.pack("i", 0))
    return int(struct.unpack("i", count)[0])


def _length(pdu: str) -> int:
    """Return the octets of a PDU without the address of the centre."""
    return len(pdu) // 2 - 1 - int(pdu[:2], 16)
