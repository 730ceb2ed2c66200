"""The repeater as a service: how it starts and ends, and how its filters are reloaded."""

from __future__ import annotations

import os
import signal
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from twisted_repeater import Repeater, dialects
from twisted_repeater.faults import Drop
from twisted_repeater.observers.metrics import MetricsObserver
from twisted_repeater.service import CannotStart, FilterModules, RepeaterService
from twisted_repeater.service.ready_faults import NamedFault
from twisted_repeater.service.recording import ServiceRecording

from ..modules import ModuleCase
from ..peers import PeerCase, Seen, Server, World, hello

reactor: Any = installed_reactor

RULES = "from twisted_repeater import SendBack\ndef decide(message, link):\n    return SendBack([{answer}])\n"


class ServiceCase(PeerCase, ModuleCase):
    """A test case with a service, and a world whose repeater is the service's."""

    def setUp(self) -> None:
        """Record the log."""
        ModuleCase.setUp(self)
        self.lines = Seen()
        observer: Any = self._record
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def _record(self, event: LogEvent) -> None:
        if event["log_namespace"] in ("twisted_repeater.service.service", "twisted_repeater.service.reload"):
            self.lines.append(formatEvent(event))

    def service(
        self, to_server_filter: str | None = None, *, create: Any = None, pairs: Any = (), **settings: Any
    ) -> RepeaterService:
        """Make a service with filters to the server."""
        self.here = world = World(self, Server(), self.sockets)
        self.addCleanup(lambda: Deferred.fromCoroutine(world.tear_down()))
        settings.setdefault("reactor", reactor)
        modules = FilterModules({"to_server_filter": to_server_filter} if to_server_filter else {}, pairs)
        service = RepeaterService(create or self.create, callbacks={}, modules=modules, **settings)
        self.addCleanup(service.stopService)
        return service

    def create(self, port: int = 0) -> Deferred[Repeater]:
        """Make the repeater."""
        return Repeater.create(
            dialects.int32(),
            repeater_name="edge-1",
            server_name="quotes",
            is_client_allowed=lambda name: True,
            listen=f"tcp:{port}:interface=127.0.0.1",
            server_ip="127.0.0.1",
            server_port=self.here.server_port.getHost().port,
        )

    def start(self, service: RepeaterService) -> None:
        """Start it as twistd does; it logs where it listens."""
        service.privilegedStartService()
        service.startService()
        assert service.repeater is not None
        self.here.repeater = service.repeater
        self.assertEqual(self.lines.pop(), f"accepting clients at 127.0.0.1:{service.repeater.port}")

    async def answer(self, name: str = "ann") -> bytes:
        """Link a client, and return the answer to a message."""
        client, _ = await self.here.linked(name)
        client.send(b"?")
        await client.seen.reach(2)
        client.close()
        await client.lost()
        message: bytes = client.seen[1]
        return message


class LifeTests(ServiceCase):
    """From the start to the end."""

    async def test_life(self) -> None:
        """It relays when it is started; its end ends every link, and the port."""
        service = self.service()
        self.start(service)
        client, peer = await self.here.linked("ann")
        await self.here.still_relays(client, peer)
        await service.stopService()
        await client.lost()
        taken = reactor.listenTCP(self.here.repeater.port, Server(), interface="127.0.0.1")
        await maybeDeferred(taken.stopListening)

    async def test_start_alone(self) -> None:
        """It binds its ports also where nobody has asked for that before the start, as under ``twist``."""
        service = self.service()
        service.startService()
        assert service.repeater is not None
        self.here.repeater = service.repeater
        await self.here.still_relays(*await self.here.linked("ann"))

    async def test_faults(self) -> None:
        """The faults of the command line are set before the first client comes."""
        service = self.service(faults=[NamedFault("loss", Drop(), 60.0)])
        self.start(service)
        assert service.repeater is not None
        self.assertEqual([(each.name, each.fault) for each in service.repeater.faults], [("loss", Drop())])

    async def test_recording(self) -> None:
        """A recording begins with the service, also if the repeater is there only later, and ends with it."""
        for late in (False, True):
            waiting: Deferred[Any] = Deferred()
            path = self.mktemp()
            recording = ServiceRecording({"path": path}, MetricsObserver(), reactor)
            create = (lambda: waiting.addCallback(lambda _: self.create())) if late else None  # noqa: B023
            service = self.service(create=create, recording=recording)
            service.privilegedStartService()
            self.assertFalse(os.path.exists(path))
            service.startService()
            waiting.callback(None)
            assert service.repeater is not None
            self.here.repeater = service.repeater
            self.assertTrue(recording.runs)
            await service.stopService()
            self.assertFalse(recording.runs)

    def test_recording_that_cannot_begin(self) -> None:
        """If the file cannot be made, the service does not start, and says why."""
        recording = ServiceRecording({"path": "/nowhere/traffic.db"}, MetricsObserver(), reactor)
        service = self.service(recording=recording)
        service.privilegedStartService()
        error = self.assertRaises(CannotStart, service.startService)
        self.assertIn("cannot record: [Errno 2] No such file or directory", str(error.code))
        assert service.repeater is not None
        self.here.repeater = service.repeater

    async def test_second_signal(self) -> None:
        """A second signal that asks to end aborts every connection; before there is a repeater it does nothing."""
        service = self.service(to_server_filter=None)
        service._abort()
        self.start(service)
        client, _ = await self.here.linked("ann")
        service._abort()
        await client.lost()
        self.assertEqual(self.here.repeater.links(), [])

    async def test_never_started(self) -> None:
        """A service that was never started can be stopped."""
        await self.service(watch=True).stopService()

    async def test_admin(self) -> None:
        """Its administration listens as long as it runs."""
        endpoint = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
        service = self.service(admin=endpoint, metrics=MetricsObserver())
        self.start(service)
        port: Any = service._admin_port
        number = port.getHost().port
        await service.stopService()
        taken = reactor.listenTCP(number, Server(), interface="127.0.0.1")
        await maybeDeferred(taken.stopListening)

    async def test_admin_for_others(self) -> None:
        """That other machines can reach the administration is logged as a warning."""
        for interface, warned in (("0.0.0.0", True), ("127.0.0.1", False)):
            service = self.service(admin=TCP4ServerEndpoint(reactor, 0, interface=interface), admin_hosts=["edge"])
            service.privilegedStartService()
            service.startService()
            assert service.repeater is not None
            self.here.repeater = service.repeater
            port: Any = service._admin_port
            warning = f"other machines can reach the administration at 0.0.0.0:{port.getHost().port}: it has no"
            self.assertEqual([line[: len(warning)] for line in self.lines[:-1]], [warning] * warned)
            self.lines.clear()
            await service.stopService()

    async def test_port_in_use(self) -> None:
        """A port that is taken fails the start, be it the repeater's or the administration's; the log says so."""
        taken = reactor.listenTCP(0, Server(), interface="127.0.0.1")
        self.addCleanup(maybeDeferred, taken.stopListening)
        number = taken.getHost().port
        for settings in (
            {"create": lambda: self.create(number)},
            {"admin": TCP4ServerEndpoint(reactor, number, interface="127.0.0.1")},
        ):
            error = self.assertRaises(CannotStart, self.service(**settings).privilegedStartService)
            self.assertTrue(str(error).startswith(f"Couldn't listen on 127.0.0.1:{number}: "), error)
            self.assertEqual(self.lines.pop(), f"cannot start: {error}")
            self.assertEqual(error.code, 1)  # the log has the text already

    def test_error(self) -> None:
        """The error is one for which twistd cleans up, and Python exits with 1."""
        error = CannotStart("no")
        self.assertIsInstance(error, Exception)
        self.assertIsInstance(error, SystemExit)
        self.assertEqual(error.code, "no")  # Python prints a text, and exits with 1

    def test_late_failure(self) -> None:
        """An endpoint that fails after the start ends the process by SIGTERM, with a line in the log."""
        signals: list[int] = []
        self.patch(signal, "raise_signal", signals.append)
        creating: Deferred[Repeater] = Deferred()
        service = self.service(create=lambda: creating)
        service.privilegedStartService()
        service.startService()
        creating.errback(OSError("no\nway"))
        self.assertEqual(signals, [signal.SIGTERM])
        self.assertEqual(self.lines, ["cannot start: no\\nway"])


class ReloadTests(ServiceCase):
    """Filters that are reloaded while the service runs."""

    async def test_refused(self) -> None:
        """An object that can be loaded, but cannot be a filter of the dialect, leaves the old filter in place, too."""
        self.write("rules.py", RULES.format(answer="b'old'"))
        service = self.service("rules:decide")
        self.start(service)
        self.write("rules.py", "def decide(message, link): ...\ndecide.selector = 'not a selector'\n")
        why = service.reload()
        assert why is not None
        self.assertTrue(why.startswith("the new filters cannot be used: TypeError: "), why)
        self.assertEqual(await self.answer(), b"old")
        self.write("rules.py", RULES.format(answer="b'newer'"))
        self.assertIs(service.reload(), None)
        self.assertEqual(await self.answer(), b"newer")

    async def test_before_the_repeater(self) -> None:
        """Filters that are reloaded while the port is still being bound are those that the repeater starts with."""
        self.write("rules.py", RULES.format(answer="b'old'"))
        bound: Deferred[None] = Deferred()
        service = self.service("rules:decide", create=lambda: bound.addCallback(lambda _: self.create()))
        service.privilegedStartService()
        service.startService()
        self.write("rules.py", RULES.format(answer="b'new'"))
        self.assertIs(service.reload(), None)
        bound.callback(None)
        assert service.repeater is not None
        self.here.repeater = service.repeater
        self.assertEqual(await self.answer(), b"new")

    async def test_under_load(self) -> None:
        """Messages that travel while filters are reloaded all arrive, in order, each seen by one filter."""
        rules = (
            "from twisted_repeater import Send\n"
            "def decide(message, link):\n"
            "    return Send({letter!r}.encode() + message)\n"
        )
        self.write("rules.py", rules.format(letter="a"))
        service = self.service("rules:decide")
        self.start(service)
        client, peer = await self.here.linked("ann")
        sent = 0
        for letter in "bcdefgh":
            client.send(*(b"%d" % number for number in range(sent, sent + 2000)))
            sent += 2000
            await peer.seen.reach(sent - 1000)
            self.write("rules.py", rules.format(letter=letter))
            self.assertIs(service.reload(), None)
        client.send(b"last")
        await peer.seen.until(lambda: peer.seen[-1] == b"hlast")
        self.assertEqual([message[1:] for message in peer.seen[1:-1]], [b"%d" % number for number in range(sent)])
        letters = [message[:1] for message in peer.seen[1:]]
        self.assertEqual(letters, sorted(letters))

    async def test_hello_meanwhile(self) -> None:
        """A client whose link is being made at that moment has the new filter."""
        self.write("rules.py", RULES.format(answer="b'old'"))
        service = self.service("rules:decide")
        self.start(service)
        self.here.server.when_greeted = False
        client = await self.here.connect(hello("ann"))
        await self.here.server.peers.reach(1)
        self.write("rules.py", RULES.format(answer="b'new'"))
        service.reload()
        self.here.server.peers[0].say_hello()
        client.send(b"?")
        await client.seen.reach(2)
        self.assertEqual(client.seen[1], b"new")
