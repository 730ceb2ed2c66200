"""``python -m twisted_repeater replay``."""

from __future__ import annotations

import io
import math
import os
import sys
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Direction, Side, dialects
from twisted_repeater.recording import RecordedLink, RecordedMessage
from twisted_repeater.replay import Comparison, Pace, Report, command

from ..recordings import write_recording


class Reactor(Clock):
    """A reactor that runs until it is stopped, or Ctrl-C is pressed."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[Callable[[], object]] = []
        self.triggers: list[Callable[[], object]] = []
        self.stopped = False

    def callWhenRunning(self, call: Callable[[], object]) -> None:
        """See `IReactorCore`."""
        self.started.append(call)

    def addSystemEventTrigger(self, phase: str, event: str, call: Callable[[], object]) -> Callable[[], object]:
        """See `IReactorCore`."""
        assert (phase, event) == ("before", "shutdown")
        self.triggers.append(call)
        return call

    def removeSystemEventTrigger(self, trigger: Callable[[], object]) -> None:
        """See `IReactorCore`."""
        self.triggers.remove(trigger)

    def stop(self) -> None:
        """See `IReactorCore`."""
        assert not self.stopped
        self.stopped = True

    def run(self) -> None:
        """See `IReactorCore`."""
        for call in self.started:
            call()
        if not self.stopped:
            for trigger in self.triggers:
                trigger()


class CommandTests(SynchronousTestCase):
    """`main`."""

    def setUp(self) -> None:
        self.path = self.mktemp()
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        message = RecordedMessage(id=1, link=1, time=1, direction=Direction.TO_SERVER, frame=b"a\n", passed=True)
        write_recording(self.path, [message], facts={"dialect": "lines"})
        self.reactor = Reactor()
        self.output = io.StringIO()
        self.errors = io.StringIO()
        self.played: dict[str, Any] = {}
        self.links = True
        self.result: Callable[[Comparison], Deferred[Report]] = lambda comparison: succeed(comparison.report())
        self.patch(command, "_reactor", lambda: self.reactor)
        self.patch(command, "raise_soft_limit", lambda reactor: None)
        self.patch(command, "replay", self.replay)
        self.patch(sys, "stdout", self.output)
        self.patch(sys, "stderr", self.errors)

    def replay(self, recording: object, server: str, *, comparison: Comparison, **options: Any) -> Deferred[Report]:
        """Replay in the place of the real one."""
        self.played = options | {"server": server}
        if self.links:
            comparison.conversation(RecordedLink(id=1, link=1))
        return self.result(comparison)

    def main(self, *arguments: str, server: str = "tcp:127.0.0.1:1") -> int:
        """Obey a command line."""
        return command.main([self.path, "--server", server, *arguments])

    def test_defaults(self) -> None:
        """Without options the recording is played on the server's leg, as fast as it was recorded."""
        self.assertEqual(self.main(), 0)
        self.assertEqual(self.played["server"], "tcp:127.0.0.1:1")
        self.assertEqual((self.played["pace"], self.played["leg"]), (Pace(), Side.SERVER))
        self.assertEqual(self.played["dialect"].name, "lines")
        self.assertTrue(self.played["chosen"](RecordedLink(id=1, link=1)))
        self.assertTrue(self.reactor.stopped)
        self.assertEqual((self.reactor.triggers, self.reactor.getDelayedCalls()), ([], []))
        self.assertIn("No difference", self.output.getvalue())
        self.assertEqual(self.errors.getvalue(), "")

    def test_options(self) -> None:
        """Options say how fast, on which leg, which clients, and by which dialect."""
        options = ("--speed", "max", "--links-apart", "--max-pause", "2", "--timeout", "3", "--max-clients", "4")
        self.main(*options, "--leg", "client", "--client", "a*", "--client", "b", "--dialect", "redis")
        pace = Pace(speed=math.inf, links_apart=True, max_pause=2, timeout=3, max_clients=4)
        self.assertEqual((self.played["pace"], self.played["leg"]), (pace, Side.CLIENT))
        self.assertEqual(self.played["dialect"].name, "redis")
        chosen = [self.played["chosen"](RecordedLink(id=1, link=1, client_name=name)) for name in ("ann", "b", "c")]
        self.assertEqual(chosen, [True, True, False])
        self.reactor = Reactor()
        self.main("--speed", "2.5")
        self.assertEqual(self.played["pace"].speed, 2.5)

    def test_differences(self) -> None:
        """Differences make the status 1, and the report can be JSON."""

        def different(comparison: Comparison) -> Deferred[Report]:
            conversation = comparison.conversation(RecordedLink(id=1, link=1))
            conversation.recorded(b"a\n")
            conversation.end()
            return succeed(comparison.report())

        self.result = different
        self.assertEqual(self.main("--report", "json"), 1)
        self.assertIn('"missing": 1', self.output.getvalue())

    def test_interrupted(self) -> None:
        """After Ctrl-C the report has what was compared until then."""
        self.result = lambda comparison: Deferred()
        self.assertEqual(self.main(), 130)
        self.assertIn("the replay was interrupted", self.output.getvalue())
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_a_mistake(self) -> None:
        """A mistake of ours is not hidden."""
        self.result = lambda comparison: fail(ZeroDivisionError())
        self.assertRaises(ZeroDivisionError, self.main)

    def test_what_cannot_be_done(self) -> None:
        """What cannot be done is one line, and the status 2."""
        for arguments, server, text in (
            (("--dialect", "no-such"), "tcp:a:1", "no-such"),
            (("--mask", "("), "tcp:a:1", "--mask"),
            (("--max-clients", "0"), "tcp:a:1", "max_clients must be at least 1, not 0"),
            ((), "ssl:a:1", "--server: 'ssl:a:1' cannot be used: "),
            ((), "tcp:a:99999", "--server: 'tcp:a:99999' cannot be used: "),
            ((), "a:1", "--server: must be an endpoint, not 'a:1': "),
            (("--output", "/nowhere/report"), "tcp:a:1", "/nowhere/report: No such file or directory"),
        ):
            self.errors.seek(0)
            self.errors.truncate()
            self.reactor = Reactor()
            self.assertEqual(self.main(*arguments, server=server), 2)
            error = self.errors.getvalue()
            self.assertTrue(error.startswith("python -m twisted_repeater replay: "), error)
            self.assertIn(text, error)
            self.assertEqual(error.count("\n"), 1)

    def test_nothing_is_played(self) -> None:
        """A replay of no link fails, as a test that tests nothing must not pass."""
        self.links = False
        self.assertEqual(self.main("--client", "nobody"), 2)
        self.assertIn("the recording must have a link to play", self.errors.getvalue())

    def test_no_recording(self) -> None:
        """A file that is no recording, or is not there, is one line, too."""
        with open(self.path + ".txt", "wb") as file:
            file.write(b"something else")
        for path, text in ((self.path + ".txt", "must be a recording"), ("/nowhere/file", "No such file")):
            self.assertEqual(command.main([path, "--server", "tcp:a:1"]), 2)
            self.assertIn(text, self.errors.getvalue())

    def test_wrong_options(self) -> None:
        """Options that are wrong in themselves are explained by the parser."""
        for arguments, text in (
            ((), "give either --server, or filters"),
            (("--server", "tcp:a:1", "--to-server-filter", "a:b"), "give either --server, or filters"),
            (("--filter", "log", "--client", "a"), "--client is for a replay with --server, not with filters"),
            (("--filter", "log", "--links-apart"), "--links-apart is for a replay with --server, not with filters"),
            (
                ("--server", "tcp:a:1", "--on-filter-error", "drop"),
                "--on-filter-error is for a replay with filters, not with --server",
            ),
            (("--server", "tcp:a:1", "--speed", "0"), "must be a number above 0, not '0'"),
            (("--server", "tcp:a:1", "--timeout", "soon"), "must be a number above 0, not 'soon'"),
        ):
            with self.assertRaises(SystemExit) as caught:
                command.main([self.path, *arguments])
            self.assertEqual(caught.exception.code, 2)
            self.assertIn(text, self.errors.getvalue())

    def test_through_filters(self) -> None:
        """With filters, no reactor is needed."""
        asked: list[Any] = []

        def through_filters(recording: object, dialect: object, options: Any, step: Callable[[], object]) -> object:
            step()
            asked.append(options.to_server_filter)
            comparison = Comparison(dialects.lines())
            comparison.conversation(RecordedLink(id=1, link=1))
            return comparison.report(), options.to_server_filter == "a:interrupted"

        self.patch(command, "replay_through_filters", through_filters)
        self.patch(command, "_reactor", None)
        self.assertEqual(command.main([self.path, "--to-server-filter", "a:b"]), 0)
        self.assertEqual(command.main([self.path, "--to-server-filter", "a:interrupted"]), 130)
        self.assertEqual(asked, ["a:b", "a:interrupted"])

    def test_the_reactor(self) -> None:
        """Outside of tests the reactor is the installed one."""
        from twisted.internet import reactor

        self.assertIs(REACTOR_OF_COMMAND(), reactor)


REACTOR_OF_COMMAND = command._reactor
"""The function that tests replace."""
