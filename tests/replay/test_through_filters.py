"""A replay through filters, as a program or the command line asks for it."""

from __future__ import annotations

import argparse
import sys
from typing import Any

import twisted.internet
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import DROP, PASS_ON, Link, Verdict
from twisted_repeater.dialects import int32, lines
from twisted_repeater.filters import RateLimit, wants
from twisted_repeater.model import Direction
from twisted_repeater.replay.masks import masks_of
from twisted_repeater.replay.options import add_options
from twisted_repeater.replay.through_filters import DAMAGED, REACTOR, command, lent, play_link, replay_through_filters
from twisted_repeater.service.loading import LoadingError

from .recorded import BEGAN, MemoryRecording


def drop_second(message: bytes, link: Link) -> Verdict:
    """Drop one message."""
    return DROP if message == b"2" else PASS_ON


@wants(int)
def of_others(message: object, link: Link) -> Verdict:
    """A filter of messages of a class that lines have none of."""
    return DROP


def numbers() -> MemoryRecording:
    """Return a recording of lines, a tenth of a second apart."""
    recording = MemoryRecording("lines")
    recording.add_link(client_name="ann")
    for number in range(3):
        recording.add(
            number=number + 1,
            direction=Direction.TO_SERVER,
            frame=b"%d\n" % number,
            passed=True,
            verdict="PASS_ON",
            time=BEGAN + number * 100_000,
        )
    return recording


class LibraryTests(SynchronousTestCase):
    """Promises about the functions."""

    def test_a_recording_is_played(self) -> None:
        """The report has the differences; progress is told after each message."""
        told: list[int] = []
        recording = numbers()
        recording.facts["repeater_name"] = "edge"
        report = replay_through_filters(
            recording.as_recording(),
            lines(),
            to_server_filter=drop_second,
            on_progress=lambda: told.append(1),
        )
        self.assertEqual((1, 3), (report.findings.counts.total(), len(told)))
        same = replay_through_filters(recording.as_recording(), lines(), masks=masks_of(), clock=Clock())
        self.assertTrue(same.same)

    def test_one_link_is_played(self) -> None:
        """A program may play the messages of one link, with a clock of its own."""
        recording = numbers()
        (link,) = recording.links()
        clock = Clock()
        report = play_link(
            link, recording.messages(), lines(), to_server_filter=RateLimit(5, burst=1, clock=clock), clock=clock
        )
        self.assertEqual(1, report.findings.counts.total())
        self.assertTrue(play_link(link, recording.messages(), lines()).same)

    def test_a_wrong_filter_is_an_error(self) -> None:
        """What is no filter is refused at once."""
        self.assertRaises(TypeError, replay_through_filters, numbers().as_recording(), int32(), to_server_filter=3)


class CommandTests(SynchronousTestCase):
    """Promises about the command line."""

    def command(self, *arguments: str) -> tuple[int, str]:
        """Obey a command line; return its status and what it has printed."""
        parser = argparse.ArgumentParser()
        add_options(parser)
        self.patch(sys, "path", list(sys.path))
        report, _ = command(numbers().as_recording(), lines(), parser.parse_args(arguments), lambda: None)
        return int(not report.same), report.text()

    def test_filters_are_loaded_by_their_names(self) -> None:
        """A filter of a direction and pairs are described as twistd's options describe them."""
        status, text = self.command("--to-server-filter", f"{__name__}:drop_second")
        self.assertEqual((1, True), (status, "the verdict was PASS_ON, and is DO_NOTHING" in text))
        self.assertEqual(0, self.command("--filter", "log:sample=0.5")[0])

    def test_ready_filters_have_the_clock_of_the_recording(self) -> None:
        """A limit of fifteen messages a second lets pass what was recorded a tenth of a second apart."""
        self.assertEqual(0, self.command("--filter", "rate-limit:rate=15:burst=1")[0])
        self.assertEqual(1, self.command("--filter", "rate-limit:rate=5:burst=1")[0])

    def test_an_interrupt_ends_with_a_report(self) -> None:
        """Ctrl-C ends the replay; the report has what was found so far."""
        parser = argparse.ArgumentParser()
        add_options(parser)
        calls = iter([None, KeyboardInterrupt])

        def on_progress() -> None:
            error = next(calls)
            if error is not None:
                raise error

        options = parser.parse_args(["--filter", "log"])
        report, interrupted = command(numbers().as_recording(), lines(), options, on_progress)
        self.assertTrue(interrupted)
        self.assertEqual({"the replay was interrupted": 1}, report.findings.notes)
        self.assertEqual(2, report.findings.equal)

    def test_a_damaged_recording_is_noted(self) -> None:
        """What can be read of a damaged file is played."""
        recording = numbers()
        recording.damaged = True
        report = replay_through_filters(recording.as_recording(), lines())
        self.assertEqual({DAMAGED: 1}, report.findings.notes)

    def test_wrong_options_are_errors(self) -> None:
        """A filter that cannot be loaded, and a wrong policy, are errors."""
        self.assertRaises(LoadingError, self.command, "--filter", "nothing:here")
        error = self.assertRaises(LoadingError, self.command, "--filter", "mqtt-topics:publish=a")
        self.assertEqual("--filter mqtt-topics is for the dialect mqtt, not lines", str(error))
        self.assertRaises(LoadingError, self.command, "--to-server-filter", f"{__name__}:of_others")
        self.assertRaises(ValueError, self.command, "--on-filter-error", "x")


class ReactorTests(SynchronousTestCase):
    """Promises about `lent`."""

    def test_the_global_reactor_is_as_before(self) -> None:
        """After the replay, a reactor that was there is there again, and none is where none was."""
        package: Any = twisted.internet
        had = vars(package).pop("reactor", None), sys.modules.pop(REACTOR, None)

        def restore() -> None:
            if had[1] is not None:
                package.reactor, sys.modules[REACTOR] = had[0], had[1]

        self.addCleanup(restore)
        outer, inner = Clock(), Clock()
        with lent(outer):
            with lent(inner):
                self.assertIs(inner, package.reactor)
            self.assertIs(outer, package.reactor)
            self.assertIs(outer, sys.modules[REACTOR])
        self.assertNotIn("reactor", vars(package))
        self.assertNotIn(REACTOR, sys.modules)
