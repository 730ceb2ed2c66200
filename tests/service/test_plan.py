"""What the settings of a repeater come to, and the errors about what cannot be loaded or does not fit."""

from __future__ import annotations

import os
import sys
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import SameName
from twisted_repeater.service.config import read_config
from twisted_repeater.service.loading import LoadingError
from twisted_repeater.service.plan import Wanted, check, load_from_here, plan_of
from twisted_repeater.service.settings import ProcessSettings
from twisted_repeater.service.tap import settings_of

from ..modules import ModuleCase

reactor: Any = installed_reactor


def settings(**options: Any) -> ProcessSettings:
    """Return settings as from the command line; a hyphen in the name of an option is an underscore here."""
    written = {"listen": "tcp:9000:interface=127.0.0.1", "server": "tcp:127.0.0.1:9001", "dialect": "lines"}
    return settings_of({**written, **{name.replace("_", "-"): value for name, value in options.items()}})


class PlanTests(ModuleCase):
    """`plan_of`."""

    def plan(self, **options: Any) -> Any:
        """Plan a repeater."""
        return plan_of(settings(**options).repeaters["repeater"], reactor)

    def test_plan(self) -> None:
        """A plan has the dialect, changed as the options say, and the application."""
        self.write("edge.py", "class App:\n    observers = [1]\n")
        plan = self.plan(app="edge:App", same_name="share", send_proxy="v1")
        self.assertEqual((plan.dialect.name, plan.dialect.same_name), ("lines", SameName.SHARE))
        self.assertEqual(plan.app.observers, [1])
        self.assertEqual(self.plan().app.observers, [])

    def test_wrong(self) -> None:
        """An error begins with the option."""
        versions = "import twisted_repeater.dialects as d\ndef old(): raise ValueError('no')\n"
        self.write("edge.py", versions)
        for options, text in (
            ({"dialect": "edge:old", "app": "edge:x"}, "--dialect: cannot make the dialect edge:old: ValueError: no"),
            ({"dialect": "nowhere:x"}, "--dialect: cannot import nowhere: ModuleNotFoundError"),
            (
                {"dialect": "int32"},
                "--server-name is missing: the dialect int32 has hellos, in which the server says it",
            ),
            ({"app": "edge:old"}, "--app: edge:old must be an object with "),
            ({"filter": ["hl7-messages"]}, "--filter: hl7-messages is for the dialect hl7, not lines"),
            (
                {"to_client_filter": "hl7-mask:fields=PID-5"},
                "--to-client-filter: hl7-mask is for the dialect hl7, not lines",
            ),
            ({"allow_client": ["a*"], "dialect": "modbus"}, "--allow-client needs names, which clients of the dialect"),
            ({"listen": "systemd:domain=INET:name=nothing"}, "--listen must be an endpoint, not 'systemd:"),
        ):
            error = self.assertRaises(LoadingError, self.plan, **options)
            self.assertTrue(str(error).startswith(text), f"{error} instead of {text}")

    def test_endpoint(self) -> None:
        """An endpoint that is given takes the place of one of the settings, which is not even made."""
        given: Any = object()
        asked = settings(listen="systemd:domain=INET:name=nothing").repeaters["repeater"]
        self.assertIs(plan_of(asked, reactor, given).listen, given)

    def test_names(self) -> None:
        """Names of clients can be allowed if the dialect, or a filter of the user, has them."""
        self.plan(allow_client=["a*"], dialect="modbus", to_server_filter="edge:f")
        self.plan(allow_client=["a*"], dialect="mqtt")

    def test_pairs(self) -> None:
        """That a pair is not the filter of one direction is said when it is loaded, not here."""
        self.plan(to_server_filter="mqtt-topics")


class WantedTests(SynchronousTestCase):
    """`Wanted`."""

    def test_keys(self) -> None:
        """Filters have keys of their repeater and option, which lead back to the place of an error."""
        wanted = Wanted(settings(to_server_filter="edge:f", filter=["log", "edge:Pair"]).repeaters.values())
        self.assertEqual(wanted.names, {"repeater/to-server-filter": "edge:f"})
        self.assertEqual(wanted.pairs, {"repeater/filter": ["log", "edge:Pair"]})
        self.assertEqual(wanted.where("repeater/filter"), "--filter")


class CheckTests(ModuleCase):
    """`check`."""

    def test_fine(self) -> None:
        """If all is well there are no errors, and no port is bound."""
        self.write("edge.py", "def decide(message, link): ...\n")
        self.assertEqual(check(settings(to_server_filter="edge:decide", filter=["log"]), reactor), [])

    def test_sockets_of_systemd(self) -> None:
        """A file for socket activation can be checked in a shell, where there are no sockets of systemd."""
        sockets = {"listen": "haproxy:systemd:domain=INET:name=edge", "admin": "systemd:domain=UNIX:name=admin"}
        self.assertEqual(check(settings(**sockets), reactor), [])
        self.patch(os, "environ", {**os.environ, "LISTEN_FDS": "0"})
        self.assertEqual(len(check(settings(**sockets), reactor)), 2)

    def test_fleet(self) -> None:
        """Certificates for the engine of the fleet are read, too."""
        (error,) = check(settings(fleet="rediss://h?ca=/nowhere"), reactor)
        self.assertRegex(error, "^--fleet: cannot be used: .*'/nowhere'")

    def test_reload_of_what_stays(self) -> None:
        """That files are to be watched whose modules stay is an error; modules of other filters are none."""
        self.write("both.py", "import twisted_repeater.dialects as d\ndialect = d.lines()\ndef f(message, link): ...\n")
        self.write("rules.py", "def f(message, link): ...\n")
        apart = settings(to_server_filter="rules:f", to_client_filter="rules:f", reload=True)
        self.assertEqual(check(apart, reactor), [])
        (error,) = check(settings(dialect="both:dialect", to_server_filter="both:f", reload=True), reactor)
        self.assertEqual(error, "--reload: both has the dialect or the application, which cannot be reloaded")

    def test_all_errors(self) -> None:
        """Every error is found, of each repeater and each filter, and told once."""
        table = '[repeater.{}]\nlisten = "tcp:0"\nserver = "tcp:127.0.0.1:1"\ndialect = "{}"\n{}\n'
        self.write(
            "edge.toml",
            'admin = "ssl:1:interface=127.0.0.1:privateKey=no.pem"\n'
            + table.format("a", "nowhere:x", 'to-server-filter = "nowhere:f"')
            + table.format("b", "lines", 'filter = ["log", "nowhere:f", "log:sample=7"]'),
        )
        errors = check(read_config(str(self.directory / "edge.toml"), {}), reactor)
        places = [
            "repeater.a.dialect",
            "repeater.a.to-server-filter",
            "repeater.b.filter",
            "repeater.b.filter",
            "admin",
        ]
        for error, place in zip(errors, places, strict=True):
            self.assertIn(f"{place}", error)


class PathTests(ModuleCase):
    """Where modules are found."""

    def test_beside_the_file(self) -> None:
        """Modules are found beside the configuration file, and in the current directory, once each."""
        self.write("edge.toml", '[repeater.a]\nlisten = "tcp:0"\nserver = "tcp:127.0.0.1:1"\n')
        read = read_config(str(self.directory / "edge.toml"), {})
        sys.path.remove(str(self.directory))
        for _ in range(2):
            load_from_here(read)
            self.assertEqual(sys.path.count(str(self.directory)), 1)
