"""The options of the fleet."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.redis_fleet import NewcomersWithoutEngine, OnLeaseLost
from twisted_repeater.service.fleet_options import FLEET, check_engine, fleet_arguments, wrong_together
from twisted_repeater.service.option import Option

from ..modules import missing
from .written import written

ENGINE = "redis://127.0.0.1:6379"

BY_NAME: dict[str, Option] = {option.name: option for option in FLEET}


def read(name: str, text: str) -> Any:
    """Read the value of an option."""
    return BY_NAME[name].read(text)


def values(**options: Any) -> dict[str, Any]:
    """Return the values of all options; a hyphen in a name is an underscore here."""
    given = {name.replace("_", "-"): value for name, value in options.items()}
    return {option.name: option.default_value() for option in FLEET} | given


def wrong(*given: str, **options: Any) -> list[tuple[str, str]]:
    """Return what is wrong with these values."""
    return list(wrong_together(values(**options), given, "--fleet"))


class ReadTests(SynchronousTestCase):
    """How the value of each option is read."""

    def assert_wrong(self, name: str, text: str, reason: str) -> None:
        """A value is refused with this reason."""
        with self.assertRaisesRegex(ValueError, reason):
            read(name, text)

    def test_engine(self) -> None:
        """The address of the engine is one that Redis clients write."""
        for text in (ENGINE, "rediss://ann:secret@redis.example.org", "unix:///run/redis.sock?db=1"):
            self.assertEqual(read("fleet", text), text)

    def test_no_engine(self) -> None:
        """An error about the address does not show the password that may be in it."""
        for text, reason in (
            ("127.0.0.1:6379", "^cannot be used: .*begin with redis://"),
            ("http://ann:secret@h", "begin with redis://"),
            ("redis://ann:secret@h/name", "^cannot be used: the database"),
            ("redis://ann:secret@h:x", "port"),
            ("redis://ann:secret@", "no host"),
        ):
            self.assert_wrong("fleet", text, reason)
            error = self.assertRaises(ValueError, read, "fleet", text)
            self.assertNotIn("secret", str(error))
            self.assertIsNone(error.__cause__)

    def test_extras(self) -> None:
        """The error about an extra that is missing says how to install it."""
        missing(self, "txredisapi")
        self.assert_wrong("fleet", ENGINE, r"needs txredisapi: pip install 'twisted_repeater\[fleet\]'")
        missing(self, "OpenSSL")
        self.assert_wrong("fleet", "rediss://h", r"needs pyOpenSSL for TLS: pip install 'twisted_repeater\[tls\]'")

    def test_password(self) -> None:
        """A password is one line of any characters, in a file that nobody else may read."""
        self.assertEqual(read("fleet-password-file", written(self, "pä ss:/@\n".encode())), "pä ss:/@")
        for data in (b"", b"\n", b"one\ntwo", b"\xff", b"x" * 5000):
            self.assert_wrong("fleet-password-file", written(self, data), "must have one line with a password")
        self.assert_wrong("fleet-password-file", written(self, b"secret", 0o644), "chmod 600")

    def test_choices(self) -> None:
        """A policy that there is not is refused, with those that there are."""
        self.assert_wrong("on-lease-lost", "cloze", "must be one of keep, close, not 'cloze'; did you mean close")
        self.assert_wrong("newcomers-without-engine", "x", "must be one of refuse, alone, not 'x'")
        self.assertEqual(read("newcomers-without-engine", "alone"), "alone")


class ArgumentsTests(SynchronousTestCase):
    """What `RedisFleet` is made with."""

    def test_defaults(self) -> None:
        """What is not given is what `RedisFleet` has by default."""
        self.assertEqual(
            fleet_arguments(values(fleet=ENGINE)),
            {
                "address": ENGINE,
                "name": "main",
                "lease": 10.0,
                "timeout": 2.0,
                "on_lease_lost": OnLeaseLost.KEEP,
                "newcomers": NewcomersWithoutEngine.REFUSE,
            },
        )

    def test_all(self) -> None:
        """Each option has its argument; with a short lease the engine has less time for an answer."""
        arguments = fleet_arguments(
            values(
                fleet=ENGINE,
                fleet_name="quotes",
                fleet_node="edge-1",
                lease=1.0,
                on_lease_lost="close",
                newcomers_without_engine="alone",
            )
        )
        expected = {
            "address": ENGINE,
            "name": "quotes",
            "node": "edge-1",
            "lease": 1.0,
            "timeout": 0.2,
            "on_lease_lost": OnLeaseLost.CLOSE,
            "newcomers": NewcomersWithoutEngine.ALONE,
        }
        self.assertEqual(arguments, expected)

    def test_password(self) -> None:
        """The password of a file becomes part of the address, which may have a user."""
        for address, expected in (
            ("redis://h", "redis://:a%2F%40b@h"),
            ("redis://ann@h:1/2", "redis://ann:a%2F%40b@h:1/2"),
            ("redis://ann:@[::1]", "redis://ann:a%2F%40b@[::1]"),
            ("unix:///run/x?db=1", "unix://:a%2F%40b@/run/x?db=1"),
        ):
            arguments = fleet_arguments(values(fleet=address, fleet_password_file="a/@b"))
            self.assertEqual(arguments["address"], expected)
            self.assertEqual(wrong(fleet=address, fleet_password_file="a/@b"), [])


class EngineTests(SynchronousTestCase):
    """`check_engine`."""

    def test_files(self) -> None:
        """The files that the address names must be there; nothing is wrong without an engine."""
        check_engine(values(), Clock())
        check_engine(values(fleet=ENGINE), Clock())
        with self.assertRaisesRegex(ValueError, "^cannot be used: .*'/nowhere'"):
            check_engine(values(fleet="rediss://h?ca=/nowhere"), Clock())


class TogetherTests(SynchronousTestCase):
    """What is wrong with several options together."""

    def test_no_fleet(self) -> None:
        """Without `--fleet` nothing is wrong, unless other options of the fleet are given."""
        self.assertEqual(wrong("admin"), [])
        self.assertEqual(wrong("lease", "admin", lease=3.0), [("lease", "needs --fleet")])

    def test_two_passwords(self) -> None:
        """There is one password."""
        (error,) = wrong(fleet="redis://:secret@h", fleet_password_file="secret")
        self.assertEqual(error, ("fleet-password-file", "is not needed: the address of the engine has a password"))

    def test_user(self) -> None:
        """A user needs a password, be it in a file."""
        address = read("fleet", "redis://ann@h")
        self.assertEqual(wrong(fleet=address, fleet_password_file="secret"), [])
        ((name, text),) = wrong(fleet=address)
        self.assertEqual(name, "fleet")
        self.assertRegex(text, "^cannot be used: .* a user without a password")

    def test_values(self) -> None:
        """A value that the fleet refuses is an error about its option."""
        for name, value, text in (
            ("lease", 0.1, "must be from 0.5 to 3600 seconds, not 0.1"),
            ("lease", 5000.0, "must be from 0.5 to 3600 seconds, not 5000.0"),
            ("fleet-name", "a{b", "must be a printable name of at most 200 characters, without {, } and |"),
            ("fleet-node", "a|b", "must be a printable name of at most 200 characters, without {, } and |"),
        ):
            self.assertEqual(wrong(fleet=ENGINE, **{name: value}), [(name, text)])
