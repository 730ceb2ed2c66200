"""The object of ``--app``: how it is loaded, and which of its parts are used."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import TestCase

from twisted_repeater.service.app import Application, load_app
from twisted_repeater.service.loading import LoadingError

from ..modules import ModuleCase

WHOLE = """
class App:
    observers = ["an observer"]
    def on_connect(self, link): ...
    def on_error(self, link, side, error): ...
    def on_connecting_error(self, client_name, server_name, error): ...
    def is_client_allowed(self, name): return name == "ann"
    def start(self, repeater): self.repeater = repeater
    async def stop(self): self.repeater = None

app = App()
"""


class LoadTests(ModuleCase):
    """`load_app`."""

    def test_whole(self) -> None:
        """An object, and one that a class makes, have their parts."""
        self.write("edge.py", WHOLE)
        for name in ("edge:app", "edge:App"):
            app = load_app(name)
            self.assertEqual(app.observers, ["an observer"])
            self.assertEqual(sorted(app.callbacks), ["on_connect", "on_connecting_error", "on_error"])
            allowed: Any = app.is_client_allowed
            self.assertTrue(allowed("ann"))

    def test_wrong(self) -> None:
        """What is not an application is an error that says why."""
        self.write(
            "edge.py",
            "number = 3\nclass Wrong:\n    start = 3\nclass Watched:\n    observers = 'log'\n"
            "class Broken:\n    @property\n    def observers(self): 1 / 0\n    def start(self, repeater): ...\n"
            "class Interrupted:\n    @property\n    def start(self): raise KeyboardInterrupt\n"
            "class Failing:\n    def __init__(self): 1 / 0\n",
        )
        for name, text in (
            ("edge:number", "edge:number must be an object with at least one of on_connect, on_error, "),
            ("edge:Wrong", "edge:Wrong.start must be callable, not int"),
            ("edge:Watched", "edge:Watched.observers must be a list of observers, not str"),
            ("edge:Broken", "edge:Broken: ZeroDivisionError: division by zero"),
            ("edge:Failing", "cannot make edge:Failing: ZeroDivisionError"),
            ("edge:nothing", "module edge has no 'nothing'"),
        ):
            error = self.assertRaises(LoadingError, load_app, name)
            self.assertTrue(str(error).startswith(text), error)
        self.assertRaises(KeyboardInterrupt, load_app, "edge:Interrupted")


class CallTests(TestCase):
    """`Application`."""

    async def test_parts(self) -> None:
        """Its methods may be plain, return Deferreds or be coroutines; each may be missing."""
        called: list[Any] = []

        class App:
            def start(self, repeater: Any) -> Deferred[None]:
                called.append(repeater)
                return succeed(None)

            async def stop(self) -> None:
                called.append("stop")

        repeater: Any = "a repeater"
        for app in (Application(App()), Application()):
            await app.start(repeater)
            await app.stop()
        self.assertEqual(called, ["a repeater", "stop"])

    async def test_fleet(self) -> None:
        """It is told of changes of the fleet from its start to its end, and first of the last one before its start."""
        told: list[Any] = []

        class App:
            async def on_fleet_change(self, problem: str | None) -> None:
                told.append(problem)

        app = Application(App())
        repeater: Any = "a repeater"
        app.fleet_changed("not connected yet")
        app.fleet_changed(None)
        self.assertEqual(told, [])
        await app.start(repeater)
        app.fleet_changed("the lease has ended")
        self.assertEqual(told, [None, "the lease has ended"])
        await app.stop()
        app.fleet_changed(None)
        self.assertEqual(told, [None, "the lease has ended"])

    async def test_fleet_fails(self) -> None:
        """If it fails when it is told of the fleet, the log says so, and nobody else is concerned."""

        class App:
            def __init__(self, error: type[BaseException]) -> None:
                self.error = error

            def on_fleet_change(self, problem: str | None) -> None:
                raise self.error

        repeater: Any = "a repeater"
        for error in (ZeroDivisionError, SystemExit):
            app = Application(App(error))
            await app.start(repeater)
            app.fleet_changed(None)
            self.assertEqual(len(self.flushLoggedErrors(error)), 1)
        await Application().start(repeater)
