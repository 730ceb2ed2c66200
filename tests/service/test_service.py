"""The repeaters of a process as a service: how it starts and ends."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from typing import Any

from twisted.application.service import Application, MultiService
from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.logger import ILogObserver

from twisted_repeater import Repeater
from twisted_repeater.fleet import Call
from twisted_repeater.service import CannotStart, RepeaterService
from twisted_repeater.service.changes import ReloadAnswer
from twisted_repeater.service.config import read_config
from twisted_repeater.service.loading import LoadingError
from twisted_repeater.service.parent_process import CHANNEL
from twisted_repeater.service.settings import ProcessSettings
from twisted_repeater.service.tap import settings_of

from ..logged import lines_logged
from ..modules import ModuleCase
from ..peers import Client, PeerCase, Seen, Server, World, hello, turn

reactor: Any = installed_reactor

LISTEN = "tcp:0:interface=127.0.0.1"

ANSWERING = "from twisted_repeater import SendBack\ndef decide(message, link):\n    return SendBack([{answer}])\n"
"""A module with a filter that answers each message."""

PARTS = [f"twisted_repeater.service.{name}" for name in ("service", "reload", "logs", "admin_port", "hosted")]


class ServiceCase(PeerCase, ModuleCase):
    """A test case with services, and a world for their repeaters."""

    def setUp(self) -> None:
        """Record the log."""
        ModuleCase.setUp(self)
        self.lines = lines_logged(self, *PARTS)
        self.here = world = World(self, Server(), self.sockets)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.close_world(world)))

    async def close_world(self, world: World) -> None:
        """End the clients and the server."""
        if not hasattr(world, "repeater"):
            world.repeater = await Repeater.create(**self.plain())
        await world.tear_down()

    def plain(self) -> dict[str, Any]:
        """Return the arguments of some repeater."""
        dialect: Any = self.sockets.dialect()
        return {
            "dialect": dialect,
            "repeater_name": "none",
            "server_name": "quotes",
            "listen": LISTEN,
            "server": self.server,
        }

    @property
    def server(self) -> str:
        """The description of the server's endpoint."""
        return f"tcp:127.0.0.1:{self.here.server_port.getHost().port}"

    def settings(self, **options: Any) -> ProcessSettings:
        """Return settings as from the command line; a hyphen in the name of an option is an underscore here."""
        written = {"listen": LISTEN, "server": self.server, "server-name": "quotes"}
        return settings_of({**written, **{name.replace("_", "-"): value for name, value in options.items()}})

    def service(self, **options: Any) -> RepeaterService:
        """Make a service with one repeater."""
        return self.keep(RepeaterService(self.settings(**options), reactor=reactor))

    def write_config(self, text: str) -> str:
        """Write a configuration file, in which SERVER stands for the server; return its path."""
        text = text.replace("SERVER", f'server = "{self.server}"\nserver-name = "quotes"')
        return str(self.write("edge.toml", text.replace("LISTEN", f'listen = "{LISTEN}"')))

    def configured(self, text: str) -> RepeaterService:
        """Make a service of a configuration file."""
        return self.keep(RepeaterService(read_config(self.write_config(text), {}), reactor=reactor))

    def keep(self, service: RepeaterService) -> RepeaterService:
        """Stop a service at the end of the test."""
        self.addCleanup(service.stopService)
        return service

    def start(self, service: RepeaterService) -> RepeaterService:
        """Start a service as twistd does; the world has its first repeater."""
        service.privilegedStartService()
        service.startService()
        self.use(service, next(iter(service.hosted)))
        self.lines.clear()
        return service

    def use(self, service: RepeaterService, name: str) -> None:
        """Let clients of the world connect to this repeater from now on."""
        self.here.repeater = service.hosted[name].repeater

    async def linked(self, name: str) -> Client:
        """Link a client with the repeater in use."""
        client = await self.here.connect(hello(name))
        await client.seen.reach(1)
        return client

    async def refused(self, port: int) -> None:
        """Return when nobody listens at a port."""
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 60).close()
            except ConnectionRefusedError:
                return
            await turn()

    async def answer(self, name: str = "ann") -> bytes:
        """Link a client, and return the answer to a message."""
        client = await self.linked(name)
        answer = await self.ask(client)
        client.close()
        await client.lost()
        return answer

    async def ask(self, client: Client) -> bytes:
        """Return the answer that a client gets to a message."""
        count = len(client.seen)
        client.send(b"?")
        await client.seen.reach(count + 1)
        message: bytes = client.seen[-1]
        return message


class ParentTests(ServiceCase):
    """A process that another one has started as one of several."""

    async def test_orders(self) -> None:
        """It drains, ends, aborts, reloads and rotates its log as its parent orders."""
        orders, to_child = os.pipe()
        from_child, notices = os.pipe()
        self.addCleanup(os.close, from_child)
        self.patch(os, "environ", {**os.environ, CHANNEL: f"{orders},{notices}", "TWISTED_REPEATER_PROCESS": "2"})
        service = self.start(self.service())
        os.set_blocking(from_child, False)
        told = b""
        while told != b"ready\n":
            await turn()
            with contextlib.suppress(BlockingIOError):
                told += os.read(from_child, 100)
        done = Seen()
        self.patch(service._signals, "begin", done.append)
        self.patch(service, "_abort", lambda: done.append("aborted"))
        self.patch(signal, "raise_signal", done.append)
        self.addCleanup(signal.signal, signal.SIGUSR1, signal.signal(signal.SIGUSR1, signal.SIG_DFL))
        os.write(to_child, b"rotate\ndrain\nend\nabort\nreload\n")
        await self.lines.reach(1)
        self.assertEqual(self.lines[0], "reloaded: nothing has changed")
        signal.signal(signal.SIGUSR1, lambda number, frame: None)
        os.write(to_child, b"rotate\n")
        os.close(to_child)
        await done.reach(5)
        self.assertEqual(list(done), [signal.SIGTERM, signal.SIGINT, "aborted", signal.SIGUSR1, signal.SIGTERM])
        self.assertEqual(service._logs.process, "2")


class StartTests(ServiceCase):
    """How the repeaters of a process begin."""

    async def test_life(self) -> None:
        """A service relays when it is started; its end ends every link, and closes the port."""
        service = self.start(self.service())
        client = await self.linked("ann")
        await self.here.still_relays(client, self.here.server.peers[0])
        self.assertEqual(service.unready(), [])
        await service.stopService()
        await client.lost()
        self.assertEqual(service.unready(), ["draining"])
        taken = reactor.listenTCP(self.here.repeater.port, Server(), interface="127.0.0.1")
        await maybeDeferred(taken.stopListening)

    async def test_alone(self) -> None:
        """It binds its ports also where nobody has asked for that before the start, as under ``twist``."""
        service = self.service()
        self.assertEqual(service.unready(), ["repeater: no port is bound"])
        self.assertEqual(service.repeaters, {})
        service.startService()
        self.use(service, "repeater")
        self.assertIn("accepting clients at 127.0.0.1:", self.lines[-1])
        await self.here.still_relays(await self.linked("ann"), self.here.server.peers[0])
        self.assertEqual(list(service.repeaters), ["repeater"])

    async def test_several(self) -> None:
        """Several repeaters of a file run side by side, each with its own filters."""
        self.write("one.py", ANSWERING.format(answer="b'one'"))
        self.write("two.py", ANSWERING.format(answer="b'two'"))
        text = '[repeater.a]\nLISTEN\nSERVER\nto-server-filter = "one:decide"\n'
        service = self.start(self.configured(text + text.replace("repeater.a", "repeater.b").replace("one", "two")))
        self.assertEqual(await self.answer(), b"one")
        self.use(service, "b")
        self.assertEqual(await self.answer(), b"two")

    async def test_never_started(self) -> None:
        """A service that was never started can be stopped."""
        await self.service(reload=False).stopService()

    async def test_port_in_use(self) -> None:
        """If a port is taken, be it a repeater's or the administration's, none runs, and one line says which."""
        taken = reactor.listenTCP(0, Server(), interface="127.0.0.1")
        self.addCleanup(maybeDeferred, taken.stopListening)
        number = taken.getHost().port
        text = f'[repeater.a]\nLISTEN\nSERVER\n[repeater.b]\nlisten = "tcp:{number}:interface=127.0.0.1"\nSERVER\n'
        admin = self.service(admin=f"tcp:{number}:interface=127.0.0.1")
        for service, begin in ((self.configured(text), "b: "), (admin, "")):
            error = self.assertRaises(CannotStart, service.privilegedStartService)
            self.assertTrue(str(error).startswith(f"{begin}Couldn't listen on 127.0.0.1:{number}: "), error)
            self.assertEqual(self.lines.pop(), f"cannot start: {error}")
            self.assertEqual(error.code, 1)  # the log has the text already
            await self.refused(next(iter(service.hosted.values())).repeater.port)

    def test_recording_that_cannot_begin(self) -> None:
        """If a recording cannot begin, the service does not start, and says why."""
        service = self.service(record="/proc/traffic.db")
        service.privilegedStartService()
        error = self.assertRaises(CannotStart, service.startService)
        self.assertIn("No such file or directory", str(error))

    def test_end_of_a_failed_start(self) -> None:
        """Where the start of one has failed, nothing begins any more."""
        self.patch(signal, "raise_signal", lambda number: None)
        service = self.service(listen="tcp:0:interface=127.0.0.1")
        waiting: Deferred[None] = Deferred()
        self.patch(service.hosted["repeater"], "bind", lambda fleet: waiting)
        service.privilegedStartService()
        service.startService()
        waiting.errback(OSError("no"))
        self.assertEqual(self.lines, ["cannot start: no"])

    def test_error(self) -> None:
        """The error is one for which twistd cleans up, and Python exits with 1."""
        error = CannotStart("no")
        self.assertIsInstance(error, Exception)
        self.assertIsInstance(error, SystemExit)
        self.assertEqual(error.code, "no")  # Python prints a text, and exits with 1

    def test_late_failure(self) -> None:
        """An application that fails after the start ends the process by SIGTERM, with a line in the log."""
        signals: list[int] = []
        self.patch(signal, "raise_signal", signals.append)
        self.late()[1].errback(OSError("no\nway"))
        self.assertEqual(signals, [signal.SIGTERM])
        self.assertEqual(self.lines, ["cannot start: --app: app:App cannot start: OSError: no way"])

    def late(self) -> tuple[RepeaterService, Deferred[None]]:
        """Return a service that begins to start, and what ends the start of its application."""
        self.write(
            "app.py",
            "from twisted.internet.defer import Deferred\nwaiting = Deferred()\n"
            "class App:\n    def start(self, repeater):\n        return waiting\n",
        )
        service = self.service(app="app:App")
        service.privilegedStartService()
        service.startService()
        import app  # type: ignore[import-not-found]

        waiting: Deferred[None] = app.waiting
        return service, waiting

    async def test_early_hangup(self) -> None:
        """A SIGHUP while an application starts reloads as soon as it has started; a call meanwhile is refused."""
        service, waiting = self.late()
        os.kill(os.getpid(), signal.SIGHUP)
        await turn(3)
        self.assertEqual(service.change(None), [ReloadAnswer("", "the process is starting or ending")])
        self.assertEqual(self.lines, [])
        waiting.callback(None)
        while len(self.lines) < 2:
            await turn()
        self.assertEqual(self.lines[1:], ["reloaded: nothing has changed"])

    async def test_ended_early(self) -> None:
        """A service that is ended while its application starts is never ready."""
        service, waiting = self.late()
        ready: list[str] = []
        self.patch(service._systemd, "ready", ready.append)
        ended = service.stopService()
        waiting.callback(None)
        await ended
        self.assertEqual(ready, [])

    def test_wrong_settings(self) -> None:
        """What cannot be loaded is an error that begins with the option."""
        for options, text in (
            ({"log_level": "debug"}, "log-format and log-level cannot be used with the option --logger of twistd"),
            ({"to_server_filter": "nowhere:f"}, "--to-server-filter: cannot import nowhere: "),
        ):
            twistd = {"logger": "x:y"} if "log_level" in options else None
            error = self.assertRaises(
                LoadingError, RepeaterService, self.settings(**options), reactor=reactor, twistd=twistd
            )
            self.assertTrue(str(error).startswith(text), error)

    def test_reload_of_what_stays(self) -> None:
        """To watch files of filters that cannot be reloaded is an error."""
        module = "from twisted_repeater.dialects import int32\ndialect = int32()\ndef decide(message, link): ...\n"
        self.write("rules.py", module)
        error = self.assertRaises(
            LoadingError, self.service, dialect="rules:dialect", to_server_filter="rules:decide", reload=True
        )
        self.assertEqual(str(error), "--reload: rules has the dialect or the application, which cannot be reloaded")

    async def test_log(self) -> None:
        """The application that twistd has made gets the log, and other parents get none."""
        for parent in (MultiService(), Application("edge")):
            service = self.service()
            service.setServiceParent(parent)
            self.assertEqual(ILogObserver(parent, None) is not None, not isinstance(parent, MultiService))


class EndTests(ServiceCase):
    """How they end."""

    def signalled(self, service: RepeaterService, number: int = signal.SIGTERM) -> Deferred[None]:
        """Stop a service as after a signal."""
        service._signals.first = number
        return service.stopService()

    async def test_drained(self) -> None:
        """After SIGTERM newcomers are refused, and a link ends when it rests."""
        service = self.start(self.service())
        client = await self.linked("ann")
        port = self.here.repeater.port
        ended = self.signalled(service)
        self.assertEqual(service.unready(), ["draining"])
        await self.refused(port)
        await client.lost()
        await ended

    async def test_aborted(self) -> None:
        """A second signal aborts every connection; before there is a repeater it does nothing."""
        service = self.service(drain_timeout="1000")
        service._abort()
        self.start(service)
        client = await self.linked("ann")
        ended = self.signalled(service)
        service._abort()
        await client.lost()
        await ended

    async def test_not_drained(self) -> None:
        """After Ctrl-C links are closed at once."""
        service = self.start(self.service(drain_timeout="1000"))
        client = await self.linked("ann")
        await self.signalled(service, signal.SIGINT)
        await client.lost()

    def test_asked(self) -> None:
        """The administration drains as SIGTERM does."""
        signals: list[int] = []
        self.patch(signal, "raise_signal", signals.append)
        self.service().drain()
        self.assertEqual(signals, [signal.SIGTERM])

    async def test_asked_by_a_node(self) -> None:
        """A node of the fleet may say how long it takes; that is no second signal if the process drains already."""
        service = self.start(self.service())
        signals: list[int] = []
        self.patch(signal, "raise_signal", signals.append)
        self.assertEqual((service._drain_timeout(), service.fleet.problem), (30, None))
        await service.entry.call(Call("drain", {"over": 0.5}), timeout=5)
        self.assertEqual((service._drain_timeout(), signals), (0.5, [signal.SIGTERM]))
        service._signals.first = signal.SIGTERM
        await service.entry.call(Call("drain", {"over": 1}), timeout=5)
        self.assertEqual((service._drain_timeout(), signals), (0.5, [signal.SIGTERM]))
        self.assertEqual(service.everyone, [service.hosted["repeater"]])

    async def test_hurried_by_a_node(self) -> None:
        """A node of the fleet may hurry a drain under way; without a time its call changes nothing."""
        service = self.start(self.service())
        hosted = service.hosted["repeater"]
        drained: list[float] = []
        self.patch(hosted.repeater, "drain", drained.append)
        service._signals.first = signal.SIGTERM
        service._leaving[hosted] = None
        for arguments in ({}, {"over": 1}):
            await service.entry.call(Call("drain", arguments), timeout=5)
        self.assertEqual(drained, [1])

    async def test_removed(self) -> None:
        """A repeater that was removed is drained; the end of the process waits for it, too."""
        one, two = "[repeater.a]\nLISTEN\nSERVER\n", "[repeater.b]\nLISTEN\nSERVER\n"
        service = self.start(self.configured(one + two))
        client = await self.linked("ann")
        self.write_config(two)
        self.assertEqual(service.reload(), [ReloadAnswer("a", None, {"repeater": "applied"})])
        self.assertEqual(list(service.hosted), ["b"])
        await self.signalled(service)
        await client.lost()
        self.assertEqual(service._leaving, {})

    async def test_failed_drain(self) -> None:
        """A removed repeater whose end fails is logged."""
        one, two = "[repeater.a]\nLISTEN\nSERVER\n", "[repeater.b]\nLISTEN\nSERVER\n"
        service = self.start(self.configured(one + two))
        removed = service.hosted["a"]
        end = removed.end
        self.patch(removed, "end", lambda: fail(OSError("no")))
        self.write_config(two)
        service.reload()
        while not (errors := self.flushLoggedErrors(OSError)):
            await turn()
        self.assertEqual(len(errors), 1)
        await end()

    async def test_reloaded_repeater(self) -> None:
        """One repeater can be reloaded alone; the answer is its own, or an error of the file."""
        one, two = "[repeater.a]\nLISTEN\nSERVER\n", "[repeater.b]\nLISTEN\nSERVER\n"
        service = self.start(self.configured(one + two))
        self.write_config(one + two + "log = 1\n")
        self.assertIn("log", str(service.hosted["b"].reload().error))
        self.write_config(one + two.replace("SERVER", 'SERVER\nfilter = ["nowhere:x"]'))
        self.assertIn("nowhere", str(service.hosted["b"].reload().error))
        self.write_config(one + two.replace("SERVER", 'SERVER\nallow-client = ["a"]'))
        self.assertEqual(service.hosted["a"].reload(), ReloadAnswer("a"))
        self.assertEqual(service.hosted["b"].reload(), ReloadAnswer("b", None, {"allow-client": "applied"}))
        self.write_config(one + two + two.replace(".b", ".c"))
        service.reload()
        self.assertEqual(sorted(service.repeaters), ["a", "b", "c"])

    async def test_ending(self) -> None:
        """A process that ends is not reloaded."""
        service = self.start(self.service())
        await service.stopService()
        self.assertEqual(service.change(None), [ReloadAnswer("", "the process is starting or ending")])
