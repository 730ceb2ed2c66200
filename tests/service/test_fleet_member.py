"""The process as a node of a fleet: how it joins, what it is told, and how it leaves."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.task import deferLater

from twisted_repeater.fleet import Call, NodeInfo
from twisted_repeater.service import CannotStart, RepeaterService
from twisted_repeater.service.changes import ReloadAnswer
from twisted_repeater.service.plan import check

from ..logged import lines_logged
from ..programs import kept_port
from ..real.servers import PAUSE
from ..redis_fleet.engines import Engine
from .test_service import ServiceCase

reactor: Any = installed_reactor

APP = """
told = []

class App:
    def on_fleet_change(self, problem):
        told.append((type(self).__name__, problem))

class Late(App):
    pass
"""


class AloneTests(ServiceCase):
    """A process without ``--fleet``."""

    async def test_alone(self) -> None:
        """It is a node of its own, with the same calls, and ready."""
        service = self.start(self.service())
        self.assertEqual(service.unready(), [])
        self.assertEqual([info.own for info in await service.fleet.nodes()], [True])
        signals: list[int] = []
        self.patch(signal, "raise_signal", signals.append)
        answer = await service.entry.call(Call("drain", {"over": 1.5}), timeout=5)
        self.assertEqual((answer.failed, signals), ({}, [signal.SIGTERM]))
        await self.here.still_relays(await self.linked("ann"), self.here.server.peers[0])


class MemberCase(ServiceCase):
    """A test case with services that meet at an engine."""

    def setUp(self) -> None:
        """Start the engine."""
        super().setUp()
        self.engine = Engine(self)  # type: ignore[arg-type]  # it needs only addCleanup

    def member(self, **options: Any) -> RepeaterService:
        """Make a service that is a node."""
        defaults = {"fleet": self.engine.url, "lease": "2", "fleet_node": "a"}
        return self.service(**defaults | options)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until something is so that nobody tells of."""
        while not condition():
            await deferLater(reactor, PAUSE, lambda: None)

    async def nodes(self, service: RepeaterService) -> dict[str, NodeInfo]:
        """Return the nodes, by their names."""
        return {info.name: info for info in await service.fleet.nodes()}


class CheckTests(ServiceCase):
    """``--check``."""

    def test_check(self) -> None:
        """It does not connect to the engine, but reads its certificates, as a start does."""
        self.assertEqual(check(self.settings(fleet="redis://:secret@127.0.0.1:1"), reactor), [])
        settings = self.settings(fleet="rediss://127.0.0.1:1?ca=/nowhere")
        (error,) = check(settings, reactor)
        self.assertRegex(error, "^--fleet: cannot be used: .*'/nowhere'")
        service = self.keep(RepeaterService(settings, reactor=reactor))
        self.assertEqual(str(self.assertRaises(CannotStart, service.startService)), error)


class MemberTests(MemberCase):
    """A process with ``--fleet``."""

    async def test_life(self) -> None:
        """It is ready when it is a member; its end frees its names and its own at once."""
        self.write("app_one.py", APP)
        service = self.start(self.member(app="app_one:App"))
        self.assertRegex(service.unready()[0], "^fleet: ")
        await self.until(lambda: not service.unready())
        import app_one  # type: ignore[import-not-found]

        self.assertEqual(app_one.told, [("App", None)])
        await self.linked("ann")
        self.assertEqual(list((await self.nodes(service))["a"].repeaters), ["repeater"])
        self.assertEqual(await service.hosted["repeater"].repeater.fleet.find("ann"), ["a"])
        await service.stopService()
        other = self.start(self.member())
        await self.until(lambda: not other.unready())
        self.assertEqual(await other.hosted["repeater"].repeater.fleet.find("ann"), [])

    async def test_never_started(self) -> None:
        """A node that has bound its ports, and is then stopped, has nothing to leave."""
        service = self.member()
        service.privilegedStartService()
        await service.stopService()
        self.assertEqual(self.engine.ask("KEYS", "*"), [])

    async def test_failed_start(self) -> None:
        """A node whose start fails after it has joined leaves."""
        self.write(
            "app_three.py",
            "from twisted.internet.defer import Deferred\n"
            "class App:\n"
            "    joined = Deferred()\n"
            "    def start(self, repeater): return self.joined\n",
        )
        self.patch(signal, "raise_signal", lambda number: None)
        service = self.member(app="app_three:App")
        service.startService()
        await self.until(lambda: service.fleet.problem is None)
        import app_three  # type: ignore[import-not-found]

        app_three.App.joined.errback(OSError("no licence"))
        self.assertEqual(self.lines, ["cannot start: --app: app_three:App cannot start: OSError: no licence"])
        await service.stopService()
        other = self.start(self.member())
        await self.until(lambda: not other.unready())

    async def test_drained_by_another(self) -> None:
        """A node drains when another one asks for it, over the time that it says, once."""
        service = self.start(self.member())
        other = self.start(self.member(fleet_node="b"))
        await self.until(lambda: not [*service.unready(), *other.unready()])
        signals: list[int] = []
        self.patch(signal, "raise_signal", signals.append)
        answer = await service.entry.call(Call("drain", {"over": 1.5}), timeout=30, nodes=["b"])
        self.assertEqual((answer.done, signals), ({"b": None}, [signal.SIGTERM]))
        self.assertEqual((service._drain_timeout(), other._drain_timeout()), (30, 1.5))
        other._signals.first = signal.SIGTERM
        answer = await service.entry.call(Call("drain"), timeout=30, nodes=["b"])
        self.assertEqual((answer.done, len(signals)), ({"b": None}, 1))

    async def test_engine_away(self) -> None:
        """A node whose engine is away starts, logs that once, says so in its readiness, and joins when it is back."""
        self.engine.kill()
        lines = lines_logged(self, "twisted_repeater.redis_fleet._engine_log")
        service = self.start(self.member())
        alone = self.start(self.member(fleet_node="b", newcomers_without_engine="alone"))
        await self.until(lambda: "efused" in service.unready()[0])
        self.assertEqual(alone.unready(), [])
        self.use(alone, "repeater")
        client = await self.linked("ann")
        self.engine.restart()
        await self.until(lambda: not service.unready() and alone.fleet.problem is None)
        self.assertEqual(await service.hosted["repeater"].repeater.fleet.find("ann"), ["b"])
        self.assertEqual(len([line for line in lines if "cannot be used" in line]), 2, lines)  # one of each node
        client.close()
        await client.lost()


class ReloadTests(MemberCase):
    """What a reload makes of a node."""

    def change(self, service: RepeaterService, text: str) -> list[ReloadAnswer]:
        """Write other settings, and reload them."""
        self.write_config(text)
        return service.reload()

    async def test_repeaters(self) -> None:
        """A repeater that is added enters the fleet, one that is removed leaves it when its links are gone."""
        self.write("app_two.py", APP)
        fleet = f'fleet = "{self.engine.url}"\nlease = 2\nfleet-node = "a"\n'
        first = fleet + '[repeater.one]\nLISTEN\nSERVER\napp = "app_two:App"\n'
        second = fleet + '[repeater.two]\nLISTEN\nSERVER\napp = "app_two:Late"\n'
        service = self.start(self.configured(first))
        await self.until(lambda: not service.unready())
        client = await self.linked("ann")
        self.assertEqual([answer.error for answer in self.change(service, first + second.removeprefix(fleet))], [None])
        self.assertEqual(list((await self.nodes(service))["a"].repeaters), ["one", "two"])
        import app_two  # type: ignore[import-not-found]

        self.assertEqual(app_two.told, [("App", None), ("Late", None)])
        self.assertEqual([answer.error for answer in self.change(service, second)], [None])
        self.assertEqual(list((await self.nodes(service))["a"].repeaters), ["one", "two"])
        (answer,) = self.change(service, first + second.removeprefix(fleet))
        why = "one of this name was removed, and is still being drained: reload again after that"
        self.assertEqual(answer, ReloadAnswer("one", why))
        client.close()
        await client.lost()
        await self.until(lambda: not service._leaving)
        self.assertEqual(list((await self.nodes(service))["a"].repeaters), ["two"])

    async def test_port_handed_over(self) -> None:
        """A table that gets another name keeps its port, and is another entrant."""
        port = kept_port(self)
        text = f'fleet = "{self.engine.url}"\nlease = 2\n[repeater.one]\nlisten = "tcp:{port}"\nSERVER\n'
        service = self.start(self.configured(text))
        await self.until(lambda: not service.unready())
        self.assertEqual([answer.error for answer in self.change(service, text.replace("one", "two"))], [None, None])
        await self.until(lambda: not service._leaving)
        self.use(service, "two")
        await self.linked("ann")
        self.assertEqual(len(await service.hosted["two"].repeater.fleet.find("ann")), 1)

    async def test_fleet(self) -> None:
        """Options of the fleet wait for a restart."""
        fleet = f'fleet = "{self.engine.url}"\nlease = {{}}\n'
        text = fleet + "[repeater.one]\nLISTEN\nSERVER\n"
        service = self.start(self.configured(text.format(2)))
        answers = self.change(service, 'fleet-name = "other"\n' + text.format(3))
        self.assertEqual(answers, [ReloadAnswer("", None, dict.fromkeys(("fleet-name", "lease"), "restart needed"))])
        self.assertEqual(service.settings.values["lease"], 2)
        answers = self.change(service, text[text.index("[") :])
        self.assertEqual(answers, [ReloadAnswer("", None, dict.fromkeys(("fleet", "lease"), "restart needed"))])
