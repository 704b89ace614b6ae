# SPDX-License-Identifier: Apache-2.0
"""Configuration files: precedence, masks, refusals, and the delivered default file."""

import os
import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from scomod import config
from scomod.errors import ConfigError
from scomod.settings import Confirm, Paths, Rule, Server, Settings, Source
from tests.support import config_reference

VENDOR = "usr/lib/scomod/config.d"
MAIN = "etc/scomod/scomod.toml"
ADMIN = "etc/scomod/config.d"
RUNTIME = "run/scomod/config.d"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path)


def write(paths: Paths, name: str, text: str) -> Path:
    file = paths.root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_device_without_files_has_the_defaults(paths: Paths) -> None:
    assert config.load(paths) == Settings()
    assert config.origins(paths) == {}


def test_later_place_wins_key_by_key(paths: Paths) -> None:
    write(paths, f"{VENDOR}/50.toml", '[device]\nid = "1"\nmodel = "1"\noem = "1"\nlanguage = "1"')
    write(paths, MAIN, '[device]\nmodel = "2"\noem = "2"\nlanguage = "2"')
    write(paths, f"{ADMIN}/10.toml", '[device]\noem = "3"\nlanguage = "3"')
    write(paths, f"{RUNTIME}/00.toml", '[device]\nlanguage = "4"')
    device = config.load(paths).device
    assert (device.id, device.model, device.oem, device.language) == ("1", "2", "3", "4")


def test_later_name_wins_within_a_folder(paths: Paths) -> None:
    write(paths, f"{ADMIN}/20.toml", "[daemon]\nidle_exit_s = 20")
    write(paths, f"{ADMIN}/10.toml", "[daemon]\nidle_exit_s = 10")
    assert config.load(paths).daemon.idle_exit_s == 20


def test_file_replaces_one_of_the_same_name_in_an_earlier_folder(paths: Paths) -> None:
    write(paths, f"{VENDOR}/50.toml", '[device]\nid = "vendor"\n[scomo]\nversion = "1.1"')
    write(paths, f"{ADMIN}/50.toml", '[device]\nid = "admin"')
    settings = config.load(paths)
    assert (settings.device.id, settings.scomo.version) == ("admin", "1.0")


def test_file_replaced_at_run_time_takes_the_later_turn(paths: Paths) -> None:
    write(paths, f"{VENDOR}/10.toml", '[device]\nid = "vendor"')
    write(paths, f"{ADMIN}/90.toml", '[device]\nid = "admin"')
    write(paths, f"{RUNTIME}/10.toml", '[device]\nid = "run"')
    assert config.load(paths).device.id == "run"


def test_link_to_dev_null_masks_a_file(paths: Paths) -> None:
    write(paths, f"{VENDOR}/50.toml", "nonsense")
    (paths.root / ADMIN).mkdir(parents=True)
    (paths.root / ADMIN / "50.toml").symlink_to(os.devnull)
    assert config.load(paths) == Settings()


def test_file_named_like_the_main_file_does_not_replace_it(paths: Paths) -> None:
    write(paths, MAIN, '[device]\nid = "main"')
    write(paths, f"{ADMIN}/scomod.toml", '[device]\nmodel = "m"')
    assert config.load(paths).device.id == "main"


def test_files_of_other_names_are_not_read(paths: Paths) -> None:
    write(paths, f"{ADMIN}/50.toml~", "nonsense")
    write(paths, f"{ADMIN}/README", "nonsense")
    assert config.load(paths) == Settings()


def test_origins_name_the_file_of_every_set_key(paths: Paths) -> None:
    first = write(paths, MAIN, '[device]\nid = "1"\n[install.dpkg]\ntimeout_s = 5')
    second = write(paths, f"{ADMIN}/50.toml", '[device]\nid = "2"')
    assert config.origins(paths) == {"device.id": second, "install.dpkg.timeout_s": first}


def test_nested_section_and_dotted_key_say_the_same(paths: Paths) -> None:
    write(paths, MAIN, "[install]\ndpkg.timeout_s = 5")
    assert config.load(paths).install.dpkg.timeout_s == 5


def test_whole_number_is_taken_for_a_number(paths: Paths) -> None:
    write(paths, MAIN, "[daemon]\nidle_exit_s = 7")
    value = config.load(paths).daemon.idle_exit_s
    assert isinstance(value, float)
    assert value == 7.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[devise]", "unknown section devise; did you mean device?"),
        ("[zzz]", "unknown section zzz; known are admission, bootstrap, confirm, daemon,"),
        ("[install.dpgk]", "unknown section install.dpgk; did you mean install.dpkg?"),
        ("[download]\nmax_byte = 1", "unknown key download.max_byte; did you mean "),
        ("[log]\nzzz = 1", "unknown key log.zzz; known are log.level"),
        ("zzz = 1", "unknown key zzz; known are admission, bootstrap, confirm"),
        ("device = 1", "device is a section, write [device]"),
        ("[install]\ndpkg = true", "install.dpkg is a section, write [install.dpkg]"),
        ("[[device]]", "device is a section"),
        ("[device]\nid = 1", "device.id is 1, it must be text"),
        ("[device.id]\nx = 1", "device.id is {'x': 1}, it must be text"),
        ("[notification]\nudp = 1", "notification.udp is 1, it must be true or false"),
        ("[session]\nretry_count = true", "session.retry_count is true, it must be a whole number"),
        ("[session]\nretry_count = 1.5", "1.5, it must be a whole number from 0 to 20"),
        ("[session]\nretry_count = 21", "21, it must be a whole number from 0 to 20"),
        ("[session]\nretry_count = -1", "-1, it must be a whole number from 0 to 20"),
        ("[daemon]\nidle_exit_s = 0", "0, it must be a number from 0.1 to 86400"),
        ("[daemon]\nidle_exit_s = nan", "nan, it must be a number"),
        ("[daemon]\nidle_exit_s = inf", "inf, it must be a number"),
        ("[daemon]\nidle_exit_s = false", "false, it must be a number"),
        ("[daemon]\nidle_exit_s = [1]", "[1], it must be a number"),
        ('[log]\nlevel = "loud"', '"loud", it must be one of "info", "debug", "warning", "error"'),
        ('[log]\nlevel = ["info"]', "it must be one of"),
        ("[log", "is not TOML"),
        ("server = 1", "server is a section, write [server]"),
        ("[server.com.example]", 'server."com" is no section of a server; write [server."com.ex'),
        ('[server]\nmin_tls = "1.3"', 'server."min_tls" is no section of a server'),
        ("[source.a.b]", 'source."a" is no section of a source; write [source."packages.ex'),
        ('[server."a.b"]\nmin_tsl = 1', 'key server."a.b".min_tsl; did you mean server."a.b".min_'),
        ('[server."a.b"]\nmin_tls = 1', 'server."a.b".min_tls is 1, it must be one of "1.2"'),
        ('[server."a.b"]\npins = "x"', '"x", it must be a list of texts: SHA-256 of a public key'),
        ('[server."a.b"]\npins = [1]', "it must be a list of texts"),
        ('[server."a.b"]\npins = ["x"]', '["x"], it must be a list of texts'),
        ('[server."a.b"]\nproxy = "squid"', 'it must be text: "direct" or http://HOST:PORT'),
        ('[transport]\nproxy = "http://u:p@h:1"', '"http://***@h:1", it must be text: http://HOST'),
        ('[transport]\nproxy = "direct"', "it must be text: http://HOST:PORT"),
        ('[device]\nid = "1"\nid = "2"', "is not TOML"),
    ],
)
def test_refusal_names_file_key_and_what_is_allowed(paths: Paths, text: str, words: str) -> None:
    file = write(paths, f"{ADMIN}/50.toml", text)
    with pytest.raises(ConfigError, match=re.escape(words)) as refused:
        config.load(paths)
    assert str(refused.value).startswith(f"{file}: ")
    assert "\n" not in str(refused.value)


def test_each_server_has_a_section_of_its_own(paths: Paths) -> None:
    pin = "A" * 43 + "="
    write(paths, MAIN, f'[server."com.example.dm"]\nmin_tls = "1.3"\npins = ["{pin}", "{pin}"]')
    write(paths, f"{ADMIN}/50.toml", '[server]\n"com.example.dm".proxy = "http://[::1]:3128"')
    second = write(paths, f"{ADMIN}/60.toml", '[server.\'a "b" \\\']\nprotocol = "1.1"')
    settings = config.load(paths)
    known = Server(min_tls="1.3", pins=(pin, pin), proxy="http://[::1]:3128")
    assert settings.servers == {"com.example.dm": known, 'a "b" \\': Server(protocol="1.1")}
    assert settings.server("com.example.dm") == known
    assert settings.server("elsewhere") == Server()
    assert config.origins(paths)['server."a \\"b\\" \\\\".protocol'] == second


def test_each_package_server_has_a_section_of_its_own(paths: Paths) -> None:
    file = write(paths, MAIN, '[source."packages.example"]\nlogin_file = "etc/login"')
    settings = config.load(paths)
    assert settings.sources == {"packages.example": Source(login_file="etc/login")}
    assert settings.source("Packages.Example").login_file == "etc/login"
    assert settings.source("elsewhere") == Source()
    assert config.origins(paths) == {'source."packages.example".login_file': file}


def test_long_wrong_value_is_shown_shortened(paths: Paths) -> None:
    write(paths, MAIN, f'[log]\nlevel = "{"x" * 1000}"')
    with pytest.raises(ConfigError) as refused:
        config.load(paths)
    assert len(str(refused.value)) < 250


def test_limits_themselves_are_allowed(paths: Paths) -> None:
    write(paths, MAIN, "[notification]\nudp_port = 0\n[session]\nretry_count = 20")
    settings = config.load(paths)
    assert (settings.notification.udp_port, settings.session.retry_count) == (0, 20)


def test_wrong_value_is_refused_even_where_a_later_file_overrides_it(paths: Paths) -> None:
    file = write(paths, MAIN, '[log]\nlevel = "loud"')
    write(paths, f"{ADMIN}/50.toml", '[log]\nlevel = "info"')
    with pytest.raises(ConfigError, match=str(file)):
        config.load(paths)


def test_file_that_is_no_text_is_refused(paths: Paths) -> None:
    file = paths.root / MAIN
    file.parent.mkdir(parents=True)
    file.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        config.load(paths)


@pytest.mark.parametrize("name", [MAIN, f"{ADMIN}/50.toml"])
def test_file_that_cannot_be_read_is_refused(paths: Paths, name: str) -> None:
    (paths.root / name).mkdir(parents=True)
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        config.load(paths)


def test_folder_that_is_none_is_refused(paths: Paths) -> None:
    write(paths, ADMIN, "")
    with pytest.raises(ConfigError, match="cannot be read: Not a directory"):
        config.load(paths)


def test_dangling_link_is_refused(paths: Paths) -> None:
    main = paths.root / MAIN
    main.parent.mkdir(parents=True)
    main.symlink_to("nowhere")
    with pytest.raises(ConfigError, match="No such file"):
        config.load(paths)


def test_default_file_changes_nothing(paths: Paths) -> None:
    write(paths, MAIN, config_reference.DEFAULT_FILE.read_text())
    assert config.load(paths) == Settings()
    assert config.origins(paths) == {}


def test_default_file_says_every_default(paths: Paths) -> None:
    write(paths, MAIN, config_reference.uncommented())
    assert config.load(paths) == Settings(
        servers={"ID": Server()}, sources={"HOST": Source()}, confirm=Confirm(rule=(Rule(),))
    )


def test_default_file_names_every_key_exactly_once(paths: Paths) -> None:
    write(paths, MAIN, config_reference.uncommented())
    assert set(config.origins(paths)) == {key.name.partition("[]")[0] for key in config.all_keys()}
    commented = re.findall(r"^# \w+ = ", config_reference.DEFAULT_FILE.read_text(), re.MULTILINE)
    assert len(commented) == len(config.all_keys())


def test_default_file_explains_every_key() -> None:
    explained = config_reference.meanings()
    for name, meaning in explained.items():
        assert meaning.endswith("."), name
    repeated = [text for text, count in Counter(explained.values()).items() if count > 1]
    assert repeated == []


def test_document_holds_the_table_of_all_keys() -> None:
    text = config_reference.DOCUMENT.read_text()
    table = text.partition("<!-- keys -->\n")[2].partition("<!-- end of keys -->\n")[0]
    assert table == config_reference.markdown()


def test_every_example_in_the_document_is_accepted(paths: Paths) -> None:
    text = config_reference.DOCUMENT.read_text()
    examples = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert len(examples) >= 2
    for number, example in enumerate(examples):
        write(paths, f"{ADMIN}/{number}.toml", example)
    assert len(config.load(paths).server("com.example.dm").pins) == 2


def test_example_in_the_document_is_accepted(paths: Paths) -> None:
    text = config_reference.DOCUMENT.read_text()
    example = text.partition("```toml\n")[2].partition("```")[0]
    write(paths, f"{ADMIN}/50-product.toml", example)
    assert config.load(paths).install.dpkg.inventory == "managed"
    assert set(tomllib.loads(example)) == {"device", "confirm", "install"}


RULES = """
[[confirm.rule]]
server = "a"
mode = "silent"
[[confirm.rule]]
component = "fire*"
"""


def test_section_may_stand_several_times_and_keeps_its_order(paths: Paths) -> None:
    file = write(paths, MAIN, RULES)
    assert config.load(paths).confirm.rule == (
        Rule(server="a", mode="silent"),
        Rule(component="fire*"),
    )
    assert config.origins(paths) == {"confirm.rule": file}


@pytest.mark.parametrize("later", ['[[confirm.rule]]\nserver = "b"\n', "[confirm]\nrule = []\n"])
def test_sections_of_a_later_file_take_the_place_of_all_earlier_ones(
    paths: Paths, later: str
) -> None:
    write(paths, MAIN, RULES)
    write(paths, f"{ADMIN}/50.toml", later)
    assert config.load(paths).confirm.rule == ((Rule(server="b"),) if "[[" in later else ())


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            RULES + 'mode = "aks"',
            'confirm.rule[2].mode is "aks", it must be one of "ask", "inform", "silent", "refuse"',
        ),
        ("[[confirm.rule]]\nservers = 1", "did you mean confirm.rule[1].server?"),
        (
            '[confirm.rule]\nserver = "a"',
            "confirm.rule stands for sections, write [[confirm.rule]]",
        ),
        ("[confirm]\nrule = [1]", "confirm.rule stands for sections, write [[confirm.rule]]"),
        (
            '[admission]\nwindows = ["Mon 2-4"]',
            'it must be a list of texts: "HH:MM-HH:MM" in local',
        ),
    ],
)
def test_wrong_section_among_several_is_named(paths: Paths, text: str, complaint: str) -> None:
    file = write(paths, MAIN, text)
    with pytest.raises(ConfigError) as caught:
        config.load(paths)
    assert complaint in str(caught.value)
    assert str(caught.value).startswith(f"{file}: ")


def test_every_example_about_who_is_asked_is_accepted(paths: Paths) -> None:
    text = (config_reference.PROJECT / "docs/confirmation.md").read_text()
    examples = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    for number, example in enumerate(examples):
        write(paths, f"{ADMIN}/{number}.toml", example)
    settings = config.load(paths)
    assert [rule.mode for rule in settings.confirm.rule] == ["refuse", "inform", "silent"]
    assert len(settings.admission.windows) == 2
