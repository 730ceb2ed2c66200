"""Filters that are reloaded: on SIGHUP, on request, and when their files change."""

from __future__ import annotations

import os
import signal
from typing import Any

from twisted.internet.task import Clock

from twisted_repeater.service import reload

from ..peers import turn
from .test_service import RULES, ServiceCase


class ReloadTests(ServiceCase):
    """When filters are reloaded, and the log lines about that."""

    async def test_hangup(self) -> None:
        """SIGHUP loads them; when the service has ended, its old handler is back."""
        got: list[int] = []
        before = signal.signal(signal.SIGHUP, lambda number, frame: got.append(number))
        self.addCleanup(signal.signal, signal.SIGHUP, before)
        self.write("rules.py", RULES.format(answer="b'old'"))
        service = self.service("rules:decide")
        self.start(service)
        self.assertEqual(await self.answer(), b"old")
        self.write("rules.py", RULES.format(answer="b'new'"))
        os.kill(os.getpid(), signal.SIGHUP)
        await self.lines.reach(1)
        self.assertEqual(self.lines, ["rules:decide: filters reloaded"])
        self.assertEqual(await self.answer(), b"new")
        await service.stopService()
        os.kill(os.getpid(), signal.SIGHUP)
        while not got:
            await turn()
        self.assertEqual(len(self.lines), 1)

    async def test_no_hangup(self) -> None:
        """Where the system has no SIGHUP, filters are reloaded on request all the same."""
        self.patch(reload, "SIGHUP", None)
        self.write("rules.py", RULES.format(answer="b'old'"))
        service = self.service("rules:decide")
        self.start(service)
        self.write("rules.py", RULES.format(answer="b'new'"))
        self.assertIs(service.reload(), None)
        self.assertEqual(await self.answer(), b"new")
        await service.stopService()

    async def test_watch(self) -> None:
        """With ``watch`` they are loaded when their files have changed, and were left alone for a second."""
        clock: Any = Clock()
        self.write("rules.py", RULES.format(answer="b'old'"))
        service = self.service("rules:decide", watch=True, reactor=clock)
        self.start(service)
        clock.pump([1, 1])
        self.write("rules.py", RULES.format(answer="b'newer'"))
        clock.advance(1)
        self.assertEqual(self.lines, [])
        clock.advance(1)
        self.assertEqual(self.lines, ["rules:decide: filters reloaded"])
        self.assertEqual(await self.answer(), b"newer")
        clock.pump([1, 1])
        self.assertEqual(len(self.lines), 1)
        await service.stopService()
        self.assertEqual(clock.getDelayedCalls(), [])

    async def test_watch_goes_on(self) -> None:
        """Whatever a module raises while it is loaded, its file is looked at from then on too."""
        clock: Any = Clock()
        self.write("rules.py", RULES.format(answer="b'old'"))
        self.start(self.service("rules:decide", watch=True, reactor=clock))
        for kind in ("SystemExit", "ValueError", "MemoryError"):
            self.write("rules.py", f"raise {kind}('{kind}')\n")
            clock.pump([1, 1, 1, 1])
            why = f"cannot import rules: {kind}: {kind} (rules.py, line 1)"
            self.assertEqual(self.lines, [f"the filters stay as they are: {why}"])
            self.lines.clear()
        self.write("rules.py", RULES.format(answer="b'newer'"))
        clock.pump([1, 1])
        self.assertEqual(self.lines, ["rules:decide: filters reloaded"])
        self.assertEqual(await self.answer(), b"newer")

    async def test_interrupted(self) -> None:
        """Ctrl-C while the files are looked at reaches whoever runs the reactor, and they are looked at again."""
        clock: Any = Clock()
        self.write("rules.py", RULES.format(answer="b'old'"))
        self.start(self.service("rules:decide", watch=True, reactor=clock))
        self.write("rules.py", "raise KeyboardInterrupt\n")
        clock.advance(1)
        self.assertRaises(KeyboardInterrupt, clock.advance, 1)
        self.write("rules.py", RULES.format(answer="b'newer'"))
        clock.pump([1, 1])
        self.assertEqual(self.lines, ["rules:decide: filters reloaded"])

    async def test_look_that_fails(self) -> None:
        """A look at the files that fails is logged, once for each way in which it does, and repeated."""
        clock: Any = Clock()
        self.write("rules.py", RULES.format(answer="b'old'"))
        service = self.service("rules:decide", watch=True, reactor=clock)
        self.start(service)
        looks: list[BaseException] = [OSError(24, "too many files"), OSError(24, "too many files"), SystemExit()]
        changed = service._modules.changed

        def look() -> bool:
            if looks:
                raise looks.pop(0)
            return changed()

        self.patch(service._modules, "changed", look)
        clock.pump([1, 1, 1])
        trouble = "cannot look whether the files of the filters have changed; trying again"
        self.assertEqual(self.lines, [trouble, trouble])
        self.assertEqual(len(self.flushLoggedErrors(OSError, SystemExit)), 2)
        self.write("rules.py", RULES.format(answer="b'newer'"))
        clock.pump([1, 1])
        self.assertEqual(self.lines[2:], ["rules:decide: filters reloaded"])

    async def test_load_that_fails(self) -> None:
        """An attempt to load that ends in no way of its own is logged and told as a failure, too."""
        service = self.service()
        self.start(service)

        def fail(use: Any) -> None:
            raise OSError(24, "too many files")

        self.patch(service._modules, "reload", fail)
        self.assertEqual(service.reload(), "OSError while the filters were reloaded; see the log")
        self.assertEqual(self.lines, ["cannot reload the filters"])
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

        def interrupt(use: Any) -> None:
            raise KeyboardInterrupt

        self.patch(service._modules, "reload", interrupt)
        self.assertRaises(KeyboardInterrupt, service.reload)

    async def test_failure(self) -> None:
        """A filter that cannot be loaded leaves the old one in place; the log and the caller are told why."""
        self.write("rules.py", RULES.format(answer="b'old'"))
        service = self.service("rules:decide")
        self.start(service)
        self.write("rules.py", "1 / 0\n")
        why = "cannot import rules: ZeroDivisionError: division by zero (rules.py, line 1)"
        self.assertEqual(service.reload(), why)
        self.assertEqual(self.lines, [f"the filters stay as they are: {why}"])
        self.assertEqual(await self.answer(), b"old")

    async def test_none(self) -> None:
        """Without filters there is nothing to load, which is no failure."""
        service = self.service()
        self.start(service)
        self.assertIs(service.reload(), None)
        self.assertEqual(len(self.lines), 1)
        self.assertIn("nothing to reload: there are no filters", self.lines[0])

    async def test_pairs(self) -> None:
        """Pairs of filters are reloaded too: each link gets filters of the new pair."""
        pair = (
            "from twisted_repeater import SendBack\n"
            "class Pair:\n"
            "    def for_link(self, link):\n"
            "        return (lambda message, link: SendBack([{answer}]), None)\n"
        )
        self.write("rules.py", pair.format(answer="b'old'"))
        service = self.service(pairs=["rules:Pair"])
        self.start(service)
        client, _ = await self.here.linked("eve")
        self.write("rules.py", pair.format(answer="b'new'"))
        self.assertIs(service.reload(), None)
        self.assertEqual(self.lines, ["rules:Pair: filters reloaded"])
        client.send(b"?")
        await client.seen.reach(2)
        self.assertEqual((client.seen[1], await self.answer()), (b"new", b"new"))
        self.write("rules.py", pair.format(answer="1 // 0").replace("return (", "return (1 // 0, "))
        self.assertIn("the new filters cannot be used: ZeroDivisionError", str(service.reload()))
        client.send(b"?")
        await client.seen.reach(3)
        self.assertEqual(client.seen[2], b"new")
        await service.stopService()
