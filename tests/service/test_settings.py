"""What options come to, and what is wrong with them together."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Limits, OnFilterError
from twisted_repeater.service import settings as settings_module
from twisted_repeater.service.option import Written
from twisted_repeater.service.options import OPTIONS
from twisted_repeater.service.process_number import NUMBER, own_number
from twisted_repeater.service.settings import (
    ProcessSettings,
    Reading,
    SettingsError,
    WrittenSettings,
    located,
)

from ..modules import missing

GOOD: dict[str, Written] = {"listen": "tcp:9000", "server": "tcp:h:9001"}


def written(options: Mapping[str, Written], place: str = "--") -> WrittenSettings:
    """Return what was written, where each name has this before it."""
    return WrittenSettings(options, lambda name: f"{place}{name}")


def read(process: Mapping[str, Written] = {}, **repeaters: Mapping[str, Written]) -> ProcessSettings:
    """Read what was written for a process, and for its repeaters."""
    tables = {name: written(options, f"edge.toml: repeater.{name}.") for name, options in repeaters.items()}
    return Reading().process(written(process), tables or {"edge": written(GOOD)})


class SettingsTests(SynchronousTestCase):
    """Settings."""

    def assert_wrong(self, *expected: str, process: Mapping[str, Written] = {}, **tables: dict[str, Written]) -> None:
        """These errors are told, and no others."""
        error = self.assertRaises(SettingsError, read, process, **tables)
        self.assertEqual(error.lines, expected)
        self.assertEqual(str(error), "\n".join(expected))

    def test_values(self) -> None:
        """There is a value for each option of a process and of a repeater; those not given have their defaults."""
        settings = read({"admin": "unix:x"}, edge={**GOOD, "linger": "1", "convert-versions": True, "filter": ["log"]})
        self.assertEqual(set(settings.values), {option.name for option in OPTIONS if option.scope == "process"})
        (edge,) = settings.repeaters.values()
        expected = {option.name for option in OPTIONS if option.scope == "repeater"} | {"limits"}
        self.assertEqual(set(edge.values), expected)
        self.assertEqual(edge.name, "edge")
        self.assertEqual(edge.values["limits"], Limits(linger=1))
        self.assertEqual(edge.values["max-hello"], 1 << 16)
        self.assertIs(edge.values["on-filter-error"], OnFilterError.STOP)
        texts = {
            "listen": "tcp:9000",
            "server": "tcp:h:9001",
            "linger": "1",
            "convert-versions": "yes",
            "filter": "log",
        }
        self.assertEqual(edge.texts, texts)
        self.assertIsNone(settings.directory)

    def test_equality(self) -> None:
        """Settings that say the same are equal, wherever they were written."""
        elsewhere = Reading().process(written({}, "x"), {"edge": written({**GOOD, "linger": "30"}, "x")})
        self.assertEqual(read(), elsewhere)
        self.assertNotEqual(read(edge={**GOOD, "linger": "31"}), elsewhere)

    def test_read_again(self) -> None:
        """Settings of the command line stay as they are."""
        settings = read()
        self.assertIs(settings.read_again(), settings)

    def test_located(self) -> None:
        """An error continues the name of an option, or stands behind a colon."""
        self.assertEqual(located("--x", "must be above 0"), "--x must be above 0")
        self.assertEqual(located("--x", "there is none"), "--x: there is none")

    def test_one_line(self) -> None:
        """Whatever is given, an error is one line."""
        self.assertEqual(located("--x", "there is no 'a\nb'"), "--x: there is no 'a\\nb'")

    def test_all_errors(self) -> None:
        """All errors are told, each once and with its place."""
        self.assert_wrong(
            "edge.toml: repeater.a.max-clients must be a whole number, not 'x'",
            "edge.toml: repeater.a.server is missing: where the server is, such as tcp:127.0.0.1:9001 or "
            "tls:quotes.example.org:9001",
            "edge.toml: repeater.a.linger must be above 0, not -1",
            "edge.toml: repeater.a.max-unfinished-frames must be at least max-frame, 2048, not 1KiB",
            "edge.toml: repeater.b.hello-timeout must be a number of seconds, not 'none'",
            "--log-format must be one of text, json, not 'xml'",
            process={"log-format": "xml"},
            a={
                "listen": "tcp:1",
                "max-clients": "x",
                "linger": "-1",
                "max-unfinished-frames": "1KiB",
                "max-frame": "2KiB",
                "stall-timeout": "none",
            },
            b={**GOOD, "hello-timeout": "none"},
        )

    def test_shared_error(self) -> None:
        """An error that two repeaters share, because it is in their defaults, is told once."""
        table = WrittenSettings({**GOOD, "linger": "x"}, lambda name: f"defaults.{name}")
        error = self.assertRaises(SettingsError, Reading().process, written({}), {"a": table, "b": table})
        self.assertEqual(error.lines[0], "defaults.linger must be a number of seconds, not 'x'")
        self.assertEqual(len(error.lines), 2)  # both listen at one address

    def test_addresses(self) -> None:
        """No address is bound twice; a port of the system's choice, and another interface, are other addresses."""
        self.assert_wrong(
            "edge.toml: repeater.b.listen must be another address than 'tcp:9000' of repeater.a.listen, "
            "not 'tcp:9000:interface=127.0.0.1'",
            "--admin must be another address than 'tcp:9000' of repeater.a.listen, not 'tcp:9000:interface=127.0.0.1'",
            process={"admin": "tcp:9000:interface=127.0.0.1"},
            a=GOOD,
            b={**GOOD, "listen": "tcp:9000:interface=127.0.0.1"},
            c={**GOOD, "listen": "tcp:0"},
            d={**GOOD, "listen": "tcp:0"},
            e={**GOOD, "listen": "systemd:domain=INET:name=e"},
        )

    def test_recordings(self) -> None:
        """No file has the traffic of two repeaters."""
        path = os.path.abspath("a.db")
        self.assert_wrong(
            f"edge.toml: repeater.b.record must be another file than that of repeater.a.record, not {path!r}",
            a={**GOOD, "record": "a.db"},
            b={**GOOD, "listen": "tcp:1", "record": f"{path}:keep=2"},
        )

    def test_fleet(self) -> None:
        """Options of the fleet need it, and are checked together once each of them can be read."""
        self.assert_wrong(
            "--fleet-node needs --fleet",
            "--lease needs --fleet",
            process={"fleet-node": "a", "lease": "10", "log-level": "warn"},
        )
        fleet = {"fleet": "redis://h", "lease": "0.1"}
        self.assert_wrong("--lease must be from 0.5 to 3600 seconds, not 0.1", process=fleet)
        self.assert_wrong("--fleet-name must not be empty", process={**fleet, "fleet-name": ""})
        self.assertEqual(read({"fleet": "redis://h"}).values["fleet"], "redis://h")
        self.assert_wrong(
            "--fleet-node must have {process}, as each of the processes needs its own, not 'a'",
            process={"fleet": "redis://h", "fleet-node": "a", "processes": "2"},
        )

    def test_number(self) -> None:
        """The number of the process stands in the place of ``{process}``; the environment may have it."""
        given: dict[str, Written] = {**GOOD, "record": "a-{process}.db"}
        made = Reading("02").process(written({"admin": "unix:x-{process}"}), {"edge": written(given)})
        self.assertEqual(made.values["admin"], "unix:x-02:mode=600")
        self.assertEqual(made.repeaters["edge"].values["record"]["path"], "a-02.db")
        self.assertEqual(read({"admin": "unix:x-{process}"}).values["admin"], "unix:x-1:mode=600")
        self.patch(settings_module, "own_number", lambda: own_number({NUMBER: "a/b"}))
        error = self.assertRaises(SettingsError, Reading)
        self.assertEqual(str(error), "TWISTED_REPEATER_PROCESS must have letters, digits and . _ - only, not 'a/b'")

    def test_processes(self) -> None:
        """Several processes share the ports; what each needs for itself must have its number."""
        made = read({"processes": "2", "admin": "unix:x-{process}"}, a=GOOD, b={**GOOD, "listen": "tcp6:9001"})
        self.assertEqual([each.values["share-port"] for each in made.repeaters.values()], [True, True])
        self.assertIs(read({"processes": "1"}).repeaters["edge"].values["share-port"], False)
        self.assert_wrong(
            "--admin must have {process}, as each of the processes needs its own, not 'unix:x'",
            "edge.toml: repeater.a.record must have {process}, as each of the processes needs its own, not 'x.db'",
            "edge.toml: repeater.b.listen must have a port that the processes can share, not 'tcp:0'",
            "edge.toml: repeater.c.listen needs a port of tcp:, tcp6: or ssl:, not 'unix:/tmp/quotes'",
            process={"processes": "2", "admin": "unix:x"},
            a={**GOOD, "record": "x.db"},
            b={**GOOD, "listen": "tcp:0"},
            c={**GOOD, "listen": "unix:/tmp/quotes"},
        )

    def test_share_port(self) -> None:
        """A port is shared if its kind allows that, even one that the system chooses."""
        self.assertIs(read(a={**GOOD, "listen": "tcp:0", "share-port": True}).repeaters["a"].values["share-port"], True)
        self.assert_wrong(
            "edge.toml: repeater.a.share-port needs a port of tcp:, tcp6: or ssl:, not 'systemd:domain=INET:name=x'",
            a={**GOOD, "listen": "systemd:domain=INET:name=x", "share-port": True},
        )
        self.assert_wrong(
            "edge.toml: repeater.a.listen must be an endpoint such as tcp:9000 or unix:/run/quotes, not 'tcp:': "
            "it needs a port",
            a={**GOOD, "listen": "tcp:", "share-port": True},
        )

    def test_administration(self) -> None:
        """Options of the administration need it, and it needs a token where others can connect, and its extra."""
        self.assert_wrong("--admin-host needs --admin", process={"admin-host": ["x"]})
        self.assert_wrong(
            "--admin needs --admin-token-file: other machines, or other users, can connect to "
            "'tcp:1:interface=0.0.0.0'",
            process={"admin": "tcp:1:interface=0.0.0.0"},
        )
        missing(self, "msgspec")
        self.assert_wrong(
            "--admin needs msgspec: pip install 'twisted_repeater[admin]'",
            process={"admin": "tcp:1:interface=127.0.0.1"},
        )

    def test_token(self) -> None:
        """Settings are others if the file of the token has another token; and they do not show it."""
        path = Path(self.mktemp())
        process = {"admin": "unix:x", "admin-token-file": str(path)}
        both = []
        for token in ("a" * 16, "b" * 16):
            path.write_text(token)
            path.chmod(0o600)
            both.append(read(process))
            self.assertNotIn(token, repr(both))
        self.assertNotEqual(*both)
        self.assertEqual(read(process), both[1])

    def test_reload(self) -> None:
        """Files of filters can only be watched if there are some."""
        self.assert_wrong("--reload needs a filter", process={"reload": True})
        self.assertTrue(read({"reload": True}, edge={**GOOD, "filter": ["log"]}).values["reload"])
