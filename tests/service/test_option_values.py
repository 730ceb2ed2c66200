"""How the values of options are written."""

from __future__ import annotations

import inspect
import stat
from dataclasses import fields
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import maybeDeferred
from twisted.internet.endpoints import TCP6ServerEndpoint, UNIXServerEndpoint
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase, TestCase

from twisted_repeater import Limits, OnFilterError, SameName
from twisted_repeater._sockets.endpoints import longest_listen_queue
from twisted_repeater.model import DefaultSize
from twisted_repeater.service.option_values import (
    LIMITS,
    admin_endpoint,
    limit_options,
    listen_endpoint,
    module_and_name,
    name_filter,
    near,
    not_empty,
    number,
    on_filter_error,
    positive_seconds,
    repeater_name,
    same_name,
    seconds,
    seconds_or_none,
    server,
    shown,
    size,
)

from ..modules import ModuleCase, missing

reactor: Any = installed_reactor


class ValueTests(SynchronousTestCase):
    """How values are written."""

    def assert_wrong(self, read: Any, *texts: str) -> None:
        """These are refused, and the message quotes them."""
        for text in texts:
            self.assertIn(repr(text), str(self.assertRaises(ValueError, read, text)))

    def test_sizes(self) -> None:
        """Sizes have binary units, in any case, or none."""
        for text, value in [
            ("16MiB", 16 << 20),
            ("64kib", 64 << 10),
            ("1 GiB", 1 << 30),
            ("1000", 1000),
            ("7B", 7),
        ]:
            self.assertEqual(size(text), value)
        self.assert_wrong(size, "", "MiB", "16MB", "1.5MiB", "-1", "1e6", "\u0661")

    def test_numbers(self) -> None:
        """Numbers are whole."""
        self.assertEqual(number("500"), 500)
        self.assert_wrong(number, "", "-1", "1.5", "many", "\u0661")

    def test_seconds(self) -> None:
        """Times are seconds, with a fraction if need be, and finite; none is ``none`` where that is allowed."""
        self.assertEqual(seconds("2.5"), 2.5)
        self.assert_wrong(seconds, "", "soon", "nan", "inf", "none")
        self.assertIs(seconds_or_none("none"), None)
        self.assertEqual(seconds_or_none("7"), 7)
        self.assert_wrong(seconds_or_none, "None", "soon")

    def test_shown(self) -> None:
        """Defaults are shown as they are written."""
        for value, read, text in [
            (16 << 20, size, "16MiB"),
            (1 << 30, size, "1GiB"),
            (1000, size, "1000"),
            (500, number, "500"),
            (0.5, seconds, "0.5"),
            (None, seconds_or_none, "none"),
        ]:
            self.assertEqual(shown(value, read), text)


class PolicyTests(SynchronousTestCase):
    """What to do if a filter fails, or a name is taken."""

    def test_policies(self) -> None:
        """A policy is named as it is in the library."""
        self.assertIs(on_filter_error("pass-on"), OnFilterError.PASS_ON)
        error = self.assertRaises(ValueError, on_filter_error, "cry")
        self.assertEqual(str(error), "must be one of stop, pass-on, drop, close, not 'cry'")

    def test_same_names(self) -> None:
        """So is what becomes of a newcomer whose name is taken."""
        self.assertIs(same_name("share"), SameName.SHARE)
        error = self.assertRaises(ValueError, same_name, "SHARE")
        self.assertEqual(str(error), "must be one of refuse, replace, share, not 'SHARE'; did you mean share?")


class TextTests(SynchronousTestCase):
    """Texts, names and choices."""

    def test_texts(self) -> None:
        """A text is not empty, and a name of a repeater, of a module or of a time is one."""
        self.assertEqual(not_empty("x y"), "x y")
        self.assertEqual(repeater_name("edge-1.a_B"), "edge-1.a_B")
        self.assertEqual(module_and_name("a.b:c.d"), "a.b:c.d")
        self.assertEqual(positive_seconds("0.5"), 0.5)
        for read, text, message in [
            (not_empty, " ", "must not be empty"),
            (repeater_name, "", "must be a name of letters, digits, '-', '_' and '.', such as edge-1, not ''"),
            (repeater_name, "../x", "must be a name of letters, digits, '-', '_' and '.', such as edge-1, not '../x'"),
            (module_and_name, "app", "must be of the form package.module:name, not 'app'"),
            (positive_seconds, "0", "must be above 0, not 0"),
        ]:
            self.assertEqual(str(self.assertRaises(ValueError, read, text)), message)

    def test_near(self) -> None:
        """For an unknown name the one that is most like it is meant, if there is one."""
        self.assertEqual(near("listn", ["listen", "linger"], "--"), "; did you mean --listen?")
        self.assertEqual(near("MAX_FRAME", ["max-frame"]), "; did you mean max-frame?")
        self.assertEqual(near("pidfile", ["filter"]), "")


class NameTests(SynchronousTestCase):
    """Patterns of names."""

    def test_all(self) -> None:
        """Without a pattern every name is allowed."""
        self.assertTrue(name_filter([])("anybody"))

    def test_patterns(self) -> None:
        """A name has to match one pattern, wholly, with its case, and also where it has lines."""
        allowed = name_filter(["desk-*", "ann", "[xy]?"])
        for name in ("desk-", "desk-7\n8", "ann", "x1"):
            self.assertTrue(allowed(name), name)
        for name in ("", "Desk-7", "anne", "my ann", "ann\n", "z1", "x12"):
            self.assertFalse(allowed(name), name)


class EndpointTests(TestCase, ModuleCase):
    """Endpoints."""

    def assert_wrong(self, read: Any, *cases: tuple[str, str]) -> None:
        """These descriptions are refused, with these beginnings of messages."""
        for description, text in cases:
            error = self.assertRaises(ValueError, read, reactor, description)
            self.assertTrue(str(error).startswith(text), error)

    def test_kinds(self) -> None:
        """Endpoints of every kind are understood."""
        self.assertIsInstance(listen_endpoint(reactor, "unix:/run/x"), UNIXServerEndpoint)
        self.assertIsInstance(admin_endpoint(reactor, r"tcp6:0:interface=\:\:1"), TCP6ServerEndpoint)
        self.assertIsInstance(admin_endpoint(reactor, "unix:/run/x"), UNIXServerEndpoint)
        server(reactor, "tls:localhost:1")

    def test_listen_queue(self) -> None:
        """As many clients may wait to be accepted as the system allows, or as many as the description says."""
        for backlog, told in (("", longest_listen_queue()), (":backlog=7", 7)):
            listen = listen_endpoint(reactor, f"tcp:0:interface=127.0.0.1{backlog}")
            port: Any = self.successResultOf(listen.listen(Factory()))
            self.addCleanup(port.stopListening)
            self.assertEqual(port.backlog, told)

    def test_no_tls(self) -> None:
        """Without pyOpenSSL the error of a TLS endpoint says how to install it."""
        missing(self, "OpenSSL")
        needs = "needs pyOpenSSL: pip install 'twisted_repeater[tls]'"
        self.assert_wrong(server, ("tls:localhost:1", f"'tls:localhost:1' {needs}"))
        self.assert_wrong(listen_endpoint, ("ssl:443", f"'ssl:443' {needs}"))

    def test_wrong(self) -> None:
        """What Twisted finds wrong is told without the names of its functions."""
        self.assert_wrong(
            listen_endpoint,
            ("pigeon:1", "must be an endpoint, not 'pigeon:1': Unknown endpoint type"),
            ("tcp:1:iface=x", "must be an endpoint, not 'tcp:1:iface=x': there is no iface= in it"),
            (
                "ssl:1:privateKey=no.pem",
                "must be an endpoint, not 'ssl:1:privateKey=no.pem': 'no.pem' cannot be read: No",
            ),
            ("tcp6", "must be an endpoint, not 'tcp6': TypeError: "),
            ("systemd:domain=UNIX:index=0", "must be an endpoint, not 'systemd:domain=UNIX:index=0': "),
        )
        self.assert_wrong(server, ("tcp::9001", "'tcp::9001' cannot be used: the server's host must be"))
        self.assert_wrong(admin_endpoint, ("tcp:8090", "must have an interface, such as interface=127.0.0.1, not"))

    async def test_admin_socket(self) -> None:
        """A Unix socket of the administration is its owner's alone, unless a mode is said."""
        modes = [("", 0o600), (":lockfile=0", 0o600), (":backlog=5", 0o600), (":mode=660", 0o660), (":640", 0o640)]
        for rest, mode in modes:
            path = self.directory / f"admin-{mode}"
            port = await admin_endpoint(reactor, f"unix:{path}{rest}").listen(Factory())
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), mode, rest)
            await maybeDeferred(port.stopListening)


class LimitTests(SynchronousTestCase):
    """They follow from the fields of `Limits`."""

    def test_every_field(self) -> None:
        """Each field has an option, with a description that begins a sentence and ends one."""
        self.assertEqual([limit.field for limit in LIMITS], [field.name for field in fields(Limits)])
        for limit in LIMITS:
            self.assertRegex(limit.description, r"^[A-Z][^`]*\.$")
            self.assertEqual(limit.name, limit.field.replace("_", "-"))

    def test_defaults(self) -> None:
        """A default is shown as a user writes it; if it depends on something, the description says on what."""
        for limit in LIMITS:
            default: Any = getattr(Limits(), limit.field)
            if limit.default is None:
                self.assertTrue(default is None or isinstance(default, DefaultSize))
                self.assertIn("If not given: ", limit.description)
            else:
                self.assertEqual(limit.read(limit.default), default)
        shown = {limit.name: limit.default for limit in LIMITS}
        self.assertEqual((shown["max-hello"], shown["linger"], shown["filter-timeout"]), ("64KiB", "30", "none"))

    def test_names_of_other_options(self) -> None:
        """Where a description names another field, the option's names that field's option."""
        (unfinished,) = [limit.description for limit in LIMITS if limit.field == "max_unfinished_frames"]
        self.assertIn("--max-frame", unfinished)

    def test_no_source(self) -> None:
        """Where Python has no source of the class, the options have no descriptions."""

        def missing(it: object) -> str:
            raise OSError

        self.patch(inspect, "getsource", missing)
        units = {"", " In seconds.", " In seconds, or none for no limit."}
        self.assertEqual({limit.description for limit in limit_options()}, units)
