"""One repeater of the process: from its plan to its end, and what changes meanwhile; more is in ``test_changes.py``."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

import twisted_repeater.service.hosted as module
from twisted_repeater import PASS_ON
from twisted_repeater.service.changes import ReloadAnswer
from twisted_repeater.service.handover import PortOf
from twisted_repeater.service.hosted import Hosted, done_at_once, filters_of
from twisted_repeater.service.loading import LoadingError
from twisted_repeater.service.plan import plan_of

from ..peers import hello
from .test_service import ServiceCase

reactor: Any = installed_reactor

APP = """
from twisted.internet.defer import Deferred
calls = []
begun = Deferred()
class App:
    def is_client_allowed(self, name): return name != "eve"
    def start(self, repeater):
        calls.append("start")
        return begun
    def stop(self):
        calls.append("stop")
        {stop}
"""


class HostedCase(ServiceCase):
    """A test case with one hosted repeater."""

    def host(self, **options: Any) -> Hosted:
        """Make it."""
        plan = plan_of(self.settings(**options).repeaters["repeater"], reactor)
        hosted = Hosted(plan, reactor, observed=True, reload=lambda name: ReloadAnswer(name))
        self.addCleanup(lambda: Deferred.fromCoroutine(hosted.end()))
        return hosted

    async def begun(self, **options: Any) -> Hosted:
        """Make it, and let it begin."""
        hosted = self.host(**options)
        await hosted.bind()
        await hosted.begin({})
        self.here.repeater = hosted.repeater
        return hosted


class LifeTests(HostedCase):
    """From start to end."""

    def test_not_bound(self) -> None:
        """Before its port is bound it has no repeater, is not ready, and can be ended."""
        hosted = self.host()
        self.assertRaises(RuntimeError, lambda: hosted.repeater)
        self.assertEqual(hosted.unready(), "no port is bound")
        hosted.abort()

    async def test_facts(self) -> None:
        """It says what was configured, and reloads itself on request."""
        hosted = await self.begun(allow_client=["a*", "b*"])
        self.assertEqual(
            hosted.facts,
            {
                "listen": "tcp:0:interface=127.0.0.1",
                "server": self.server,
                "dialect": "int32",
                "server-name": "quotes",
                "allow-client": "a*, b*",
            },
        )
        self.assertEqual(hosted.reload(), ReloadAnswer("repeater"))

    async def test_taken_port(self) -> None:
        """The socket of a port that is taken over is not looked at: that would be a client for whoever has it."""
        socket = f"unix:{self.directory}/socket"
        giver = await self.begun(listen=socket)
        settings = self.settings(listen=socket).repeaters["repeater"]
        plan = plan_of(settings, reactor, PortOf(giver.repeater))
        taker = Hosted(plan, reactor, observed=True, reload=lambda name: ReloadAnswer(name))
        self.addCleanup(lambda: Deferred.fromCoroutine(taker.end()))
        looked: list[str] = []
        self.patch(module, "remove_dead_socket", looked.append)
        await taker.bind()
        self.assertEqual(looked, [])

    async def test_observed(self) -> None:
        """Its numbers and errors are those of its links."""
        hosted = await self.begun()
        client = await self.linked("ann")
        self.assertEqual(hosted.metrics.made, 1)
        client.close()
        await client.lost()

    async def test_app(self) -> None:
        """Its application begins before clients are accepted, is asked about them, and ends once after the links."""
        self.write("app_one.py", APP.format(stop="1 / 0"))
        hosted = self.host(app="app_one:App", allow_client=["a*", "e*"])
        await hosted.bind()
        hosted.begin_soon({})
        import app_one  # type: ignore[import-not-found]

        self.assertEqual(app_one.calls, ["start"])
        app_one.begun.callback(None)
        self.here.repeater = hosted.repeater
        await self.linked("ann")
        for name in ("eve", "bob"):
            refused = await self.here.connect(b"")
            refused.send(b'{"name": "%s"}' % name.encode())
            await refused.lost()
        await hosted.end()
        await hosted.end()
        self.assertEqual(app_one.calls, ["start", "stop"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    async def test_app_interrupted(self) -> None:
        """Ctrl-C in an application is not kept from whoever runs the reactor."""
        self.write("app_two.py", APP.format(stop="raise KeyboardInterrupt"))
        hosted = self.host(app="app_two:App")
        await hosted.bind()
        hosted.begin_soon({})
        with self.assertRaises(KeyboardInterrupt):
            await hosted.end()

    async def test_app_interrupted_at_its_start(self) -> None:
        """So is Ctrl-C while it begins. What never began is not told to stop."""
        self.write("app_five.py", "class App:\n    def start(self, repeater): raise KeyboardInterrupt\n")
        hosted = self.host(app="app_five:App")
        await hosted.bind()
        with self.assertRaises(KeyboardInterrupt):
            await hosted.begin({})

    async def test_app_that_fails_later(self) -> None:
        """If an application fails after it took its time, the repeater ends, and the log says so."""
        self.write("app_three.py", APP.format(stop=""))
        hosted = self.host(app="app_three:App")
        await hosted.bind()
        hosted.begin_soon({})
        import app_three  # type: ignore[import-not-found]

        port = hosted.repeater.port
        app_three.begun.errback(OSError("no"))
        self.assertIn("repeater cannot start, and is ended", self.lines)
        (failure,) = self.flushLoggedErrors(LoadingError)
        self.assertEqual(str(failure.value), "--app: app_three:App cannot start: OSError: no")
        self.assertEqual(hosted.unready(), "no port is bound")
        await self.refused(port)
        await hosted.end()
        self.assertEqual(app_three.calls, ["start", "stop"])

    def test_done_at_once(self) -> None:
        """Work that must be done at once is done, fails, or is cancelled."""
        done_at_once(succeed(None))
        self.assertRaises(OSError, done_at_once, fail(OSError()))
        cancelled: list[Any] = []
        error = self.assertRaises(ValueError, done_at_once, Deferred(cancelled.append))
        self.assertEqual(str(error), "takes its time, which needs a restart")
        self.assertEqual(len(cancelled), 1)


class ChangeTests(HostedCase):
    """What changes while it runs."""

    async def test_server_check(self) -> None:
        """The server is checked as long as that is configured, and readiness says what came of it."""
        hosted = await self.begun(check_server="1000")
        self.assertEqual(hosted.unready(), "the server has not been checked yet")
        settings = self.settings().repeaters["repeater"]
        hosted.change(settings, ["check-server"])
        self.assertIs(hosted.unready(), None)
        hosted.change(settings, ["allow-client"])

    async def test_changed(self) -> None:
        """Filters, faults, the server and the recording change; what has not changed stays."""
        hosted = await self.begun(fault=["drop", "latency:seconds=1"])
        settings = self.settings(fault=["drop", "stall"], server="tcp:127.0.0.1:9").repeaters["repeater"]
        hosted.replace_filters({"to-server-filter": lambda message, link: PASS_ON}, settings)
        self.assertIsNot(hosted.filters["to-server-filter"], None)
        hosted.change(settings, ["fault", "server"])
        self.assertEqual([each.name for each in hosted.repeater.faults], ["drop", "stall"])
        self.assertEqual(hosted.facts["server"], "tcp:127.0.0.1:9")
        hosted.repeater.faults.clear()
        refused = await self.here.connect(hello("ann"))
        await refused.lost()

    async def test_recorded(self) -> None:
        """A recording begins although there was none; its failure to begin leaves none."""
        hosted = await self.begun()
        hosted.replace_recording(self.settings(record=str(self.directory / "two.db")).repeaters["repeater"])()
        recording: Any = hosted.recording
        self.assertTrue(recording.runs)
        hosted.replace_recording(self.settings(record=str(self.directory / "three.db")).repeaters["repeater"])()
        self.assertIsNot(hosted.metrics.recording, recording.recorder)
        await recording.stop()

    async def test_networks(self) -> None:
        """Only clients of the networks that are allowed may come."""
        await self.begun(allow_ip=["10.0.0.0/8"])
        await (await self.here.connect(hello("ann"))).lost()

    def test_begin_that_fails_at_once(self) -> None:
        """If it cannot begin, that is an error at once, if it is known at once."""
        hosted = self.host()
        done_at_once(hosted.bind())

        def unfit(message: object, link: object) -> None: ...

        unfit.selector = "not a selector"  # type: ignore[attr-defined]
        self.assertRaises(TypeError, hosted.begin_soon, {"to-server-filter": unfit})

    async def test_start_line(self) -> None:
        """The log says that it accepts clients."""
        (await self.begun()).log_start()
        self.assertIn("accepting clients at 127.0.0.1:", self.lines[-1])

    async def test_unwatched(self) -> None:
        """Without an administration nothing is counted."""
        plan = plan_of(self.settings().repeaters["repeater"], reactor)
        hosted = Hosted(plan, reactor, observed=False, reload=ReloadAnswer)
        self.addCleanup(lambda: Deferred.fromCoroutine(hosted.end()))
        await hosted.bind()
        await hosted.begin({})
        self.here.repeater = hosted.repeater
        await self.linked("ann")
        self.assertEqual(hosted.metrics.made, 0)

    async def test_recording_that_fails(self) -> None:
        """If another recording cannot begin, the one before it goes on."""
        hosted = await self.begun(record=str(self.directory / "one.db"))
        before, numbers = hosted.recording, hosted.metrics.recording
        settings = self.settings(record="/proc/two.db").repeaters["repeater"]
        self.assertRaises(OSError, hosted.replace_recording, settings)
        self.assertEqual((hosted.recording, hosted.metrics.recording), (before, numbers))

    async def test_recording_that_cannot_end(self) -> None:
        """A recording that fails to end is logged."""
        hosted = await self.begun(record=str(self.directory / "one.db"))
        before: Any = hosted.recording
        end = hosted.replace_recording(self.settings().repeaters["repeater"])
        stop = before.stop
        self.patch(before, "stop", lambda: fail(OSError("no")))
        end()
        self.assertEqual(self.lines[-1], "a recording failed to end: no")
        await stop()


class FiltersOfTests(SynchronousTestCase):
    """`filters_of`."""

    def test_one(self) -> None:
        """A repeater gets its own filters of those of the process, by their options."""
        filters = {"edge/filter": 1, "edge/to-client-filter": 2, "other/filter": 3}
        self.assertEqual(filters_of("edge", filters), {"to-client-filter": 2, "filter": 1})
