# SPDX-License-Identifier: Apache-2.0
"""What a metadata file lets software do, as a person is told."""

from __future__ import annotations

import pytest

from scomod.installers import flatpak_permissions
from scomod.installers.flatpak_permissions import SENTENCES_COUNT, WORD_CHARACTERS, sentences

SESSION = "Session Bus Policy"
SYSTEM = "System Bus Policy"
SENTENCE_CHARACTERS = 200

CONTEXT = {
    "shared=network": "It may use the network.",
    "shared=ipc": "It may share memory with other programs.",
    "shared=new": "It shares new with the system.",
    "sockets=x11": "It may see and control the windows of other programs.",
    "sockets=fallback-x11": (
        "It may see and control the windows of other programs where there is no Wayland."
    ),
    "sockets=wayland": "It may show windows.",
    "sockets=inherit-wayland-socket": "It may show windows where it was started from.",
    "sockets=pulseaudio": "It may play sound and listen to the microphone.",
    "sockets=session-bus": "It may talk to all your programs.",
    "sockets=system-bus": "It may talk to every service of the system.",
    "sockets=ssh-auth": "It may use your SSH keys.",
    "sockets=gpg-agent": "It may use your GnuPG keys.",
    "sockets=pcsc": "It may use smart cards.",
    "sockets=cups": "It may print.",
    "sockets=new": "It may use the socket new.",
    "devices=all": "It may use all devices, cameras too.",
    "devices=dri": "It may use the graphics processor.",
    "devices=kvm": "It may run virtual machines.",
    "devices=shm": "It may use the shared memory of the system.",
    "devices=input": "It may read keyboards, mice and game controllers.",
    "devices=usb": "It may use USB devices.",
    "devices=new": "It may use the device new.",
    "filesystems=host": "It may read and write all files.",
    "filesystems=/": "It may read and write all files.",
    "filesystems=host:ro": "It may read all files.",
    "filesystems=host-os": "It may read and write the programs of the system.",
    "filesystems=host-os:ro": "It may read the programs of the system.",
    "filesystems=host-etc:rw": "It may read and write the settings of the system.",
    "filesystems=host-etc:ro": "It may read the settings of the system.",
    "filesystems=home": "It may read and write your home folder.",
    "filesystems=home:create": "It may read and write your home folder.",
    "filesystems=~/": "It may read and write your home folder.",
    "filesystems=home:ro": "It may read your home folder.",
    "filesystems=~/Work:ro": "It may read Work in your home folder.",
    "filesystems=xdg-desktop": "It may read and write your desktop.",
    "filesystems=xdg-documents": "It may read and write your documents.",
    "filesystems=xdg-download/new:create": "It may read and write new in your downloads.",
    "filesystems=xdg-music:ro": "It may read your music.",
    "filesystems=xdg-pictures": "It may read and write your pictures.",
    "filesystems=xdg-public-share": "It may read and write your public folder.",
    "filesystems=xdg-templates": "It may read and write your templates.",
    "filesystems=xdg-videos": "It may read and write your videos.",
    "filesystems=xdg-config/kdeglobals:ro": (
        "It may read kdeglobals in the settings of your programs."
    ),
    "filesystems=xdg-cache": "It may read and write the caches of your programs.",
    "filesystems=xdg-data": "It may read and write the data of your programs.",
    "filesystems=xdg-run/pipewire-0": (
        "It may read and write pipewire-0 in the run-time files of your programs."
    ),
    "filesystems=/srv/data": "It may read and write /srv/data.",
    "filesystems=xdg-new": "It may read and write xdg-new.",
    "features=devel": "It may examine and trace programs.",
    "features=bluetooth": "It may use Bluetooth.",
    "features=canbus": "It may use the CAN bus.",
    "features=multiarch": "It may run programs made for another kind of processor.",
    "features=per-app-dev-shm": "It may share memory between its own copies.",
    "features=new": "It may use the feature new.",
    "new-key=value": "It asks for new-key value, which is not known here.",
}
BUSES = {
    (SESSION, "org.freedesktop.Flatpak=talk"): "It may run programs outside of its sandbox.",
    (SESSION, "org.freedesktop.systemd1=talk"): "It may start and stop your services.",
    (SYSTEM, "org.freedesktop.systemd1=own"): "It may start and stop services of the system.",
    (SESSION, "org.freedesktop.secrets=talk"): "It may use your stored passwords.",
    (SESSION, "org.a.B=talk"): "It may talk to org.a.B.",
    (SESSION, "org.a.B=own"): "It may be org.a.B for your other programs.",
    (SESSION, "org.freedesktop.Flatpak=see"): "It may see whether org.freedesktop.Flatpak runs.",
    (SYSTEM, "org.a.*=talk"): "It may talk to org.a.* of the system.",
    (SYSTEM, "org.a.B=own"): "It may be org.a.B for the whole system.",
    (SYSTEM, "org.a.B=see"): "It may see whether org.a.B of the system runs.",
    (SYSTEM, "org.a.B=new"): "It asks for new of org.a.B, not known here.",
}


@pytest.mark.parametrize(("line", "sentence"), CONTEXT.items(), ids=CONTEXT)
def test_each_permission_is_a_sentence(line: str, sentence: str) -> None:
    assert sentences(f"[Application]\nname=org.a.b\n[Context]\n{line};\n") == (sentence,)


@pytest.mark.parametrize(("rule", "sentence"), BUSES.items(), ids=str)
def test_each_rule_of_a_bus_is_a_sentence(rule: tuple[str, str], sentence: str) -> None:
    assert sentences(f"[{rule[0]}]\n{rule[1]}\n") == (sentence,)


def test_every_sentence_that_is_known_by_name_is_in_these_tables() -> None:
    told = {*CONTEXT.values(), *BUSES.values()}
    assert set(flatpak_permissions._KNOWN.values()) <= told


def test_a_pattern_of_names_tells_what_grave_names_it_covers() -> None:
    assert sentences(f"[{SESSION}]\norg.freedesktop.*=talk\n") == (
        "It may run programs outside of its sandbox.",
        "It may start and stop your services.",
        "It may use your stored passwords.",
        "It may talk to org.freedesktop.*.",
    )


@pytest.mark.parametrize(
    "text",
    [
        "[Application]\nname=org.a.b\nshared=network;\n",
        "[Context]\nshared=!network;\nfilesystems=!home;\n",
        "[Context]\npersistent=.thing;\nunset-environment=A;\n",
        f"[{SESSION}]\norg.a.B=none\n",
        "[Environment]\nA=b\n[Extension org.a.b.Locale]\ndirectory=x\n[Extra Data]\nname=x\n",
        "# [Context]\n# shared=network\n",
        "",
    ],
)
def test_what_is_no_permission_is_not_told(text: str) -> None:
    assert sentences(text) == ()


def test_a_group_that_is_not_known_is_told() -> None:
    assert sentences("[USB Devices]\nenumerable-devices=all\n[Policy X]\na=b\n") == (
        "It asks for something that is not known here: Policy X.",
        "It asks for something that is not known here: USB Devices.",
    )


def test_the_order_is_that_of_weight_whatever_the_order_in_the_file() -> None:
    files = "filesystems=/b;/a;home;\n", "shared=network;ipc;\n"
    one, other = (f"[Context]\n{first}{second}" for first, second in (files, files[::-1]))
    assert sentences(one) == sentences(other)
    assert sentences(one) == (
        "It may read and write your home folder.",
        "It may use the network.",
        "It may share memory with other programs.",
        "It may read and write /a.",
        "It may read and write /b.",
    )


def test_a_long_list_does_not_hide_what_is_grave_and_says_what_it_leaves_out() -> None:
    places = ";".join(f"/a{number}" for number in range(1000))
    told = sentences(f"[Context]\nfilesystems={places};home;\n")
    assert len(told) == SENTENCES_COUNT
    assert told[0] == "It may read and write your home folder."
    assert told[-1] == "It asks for 970 permissions more, which are not told here."


def test_words_of_others_are_short_and_visible() -> None:
    told = sentences(f"[Context]\nsockets=\u202egnp.x;{'y' * 5000}\nk{'z' * 500}=\x1b[2J\n")
    assert all(text.isprintable() and text.isascii() for text in told)
    assert all(len(text) < SENTENCE_CHARACTERS for text in told)
    assert f"It may use the socket {'y' * (WORD_CHARACTERS - 3)}...." in told
    assert "It may use the socket \\u202egnp.x." in told


@pytest.mark.parametrize("end", ["\u2028", "\x1c", "\x0b", "\x85"])
def test_only_a_line_feed_ends_a_line_so_that_no_group_can_be_faked(end: str) -> None:
    text = f"[Context]\npersistent=a{end}[Environment]\nsockets=session-bus\n"
    assert sentences(text) == ("It may talk to all your programs.",)
