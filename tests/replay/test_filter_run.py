"""A replay through filters, from recordings that a watcher of the test kit's repeater makes."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import DROP, PASS_ON, Close, Dialect, Link, Send, SendBack, Verdict
from twisted_repeater.codecs import TextCodec
from twisted_repeater.dialects import Conversion, MessageType, fix, int32, lines, mqtt, redis
from twisted_repeater.dialects.fix import Message as FixMessage
from twisted_repeater.dialects.mqtt import ConnAck, Connect, Properties, Property, Publish
from twisted_repeater.dialects.redis import Command, Commands, Reply
from twisted_repeater.filters import FilterPair, RateLimit
from twisted_repeater.model import Direction
from twisted_repeater.recording.records import Origin
from twisted_repeater.replay import filter_run
from twisted_repeater.replay.differences import Kind
from twisted_repeater.replay.filter_run import FilterRun, by_arrival
from twisted_repeater.replay.masks import Masks
from twisted_repeater.replay.report import Report
from twisted_repeater.testing import MemoryRepeater

from .recorded import BEGAN, MemoryRecording


def record(dialect: Dialect, play: Callable[[MemoryRepeater], object], **options: Any) -> MemoryRecording:
    """Return the recording of what a function plays on a repeater."""
    recording = MemoryRecording()
    running = MemoryRepeater(dialect, **options)
    running.repeater.watch(recording)
    play(running)
    return recording


def asked(running: MemoryRepeater) -> None:
    """Let a client ask three questions, one a second, and leave."""
    client = running.connect("ann")
    server = running.server.connections[-1]
    for number in range(3):
        client.send(b"q%d" % number)
        running.advance(0.5)
        server.send(b"a%d" % number)
        running.advance(0.5)
    client.close()


def replay(recording: MemoryRecording, dialect: Dialect, clock: Clock | None = None, **options: Any) -> Report:
    """Play a recording through filters."""
    run = FilterRun(recording.links(), dialect, Masks(), 100, clock or Clock(), options)
    for message in by_arrival(recording.messages()):
        run.play(message)
    return run.end()


def refuse(message: bytes, link: Link) -> Verdict:
    """Answer the second question, and drop the third answer."""
    return SendBack([b"no"]) if message == b"q1" else DROP if message == b"a2" else PASS_ON


class FilterRunCase(SynchronousTestCase):
    """A test that looks at reports."""

    def check(self, report: Report, *texts: str) -> None:
        """Check the texts of the differences."""
        self.assertEqual(list(texts), [each.text for each in report.findings.differences], report.text())


class FilterRunTests(FilterRunCase):
    """Promises about a replay through filters."""

    def test_the_same_filters_give_no_difference(self) -> None:
        """If nothing has changed, each message is equal; also with hellos, and when filters answer and drop."""
        options: dict[str, Any] = {"to_server_filter": refuse, "to_client_filter": refuse}
        report = replay(record(int32(), asked, **options), int32(), **options)
        self.check(report)
        self.assertEqual((6, 1), (report.findings.equal, report.findings.links))

    def test_other_verdicts_are_differences(self) -> None:
        """Each message about which the filters decide otherwise is a difference."""
        report = replay(record(int32(), asked), int32(), to_server_filter=refuse, to_client_filter=refuse)
        self.check(report, "the verdict was PASS_ON, and is SendBack", "the verdict was PASS_ON, and is DO_NOTHING")
        self.assertEqual(["to_server", "to_client"], [each.direction for each in report.findings.differences])

    def test_filters_have_their_link_and_its_state(self) -> None:
        """A pair makes filters for each link; its state is what ``on_connect`` returns, its name the recorded one."""

        class Pair:
            """Counts the questions of a link."""

            def for_link(self, link: Link) -> tuple[object, None]:
                """See `IFilterPair`."""
                counted = [link.state]

                def count(message: bytes, link: Link) -> Verdict:
                    counted[0] += 1
                    return Send(b"%d of %s" % (counted[0], link.client_name.encode()))

                return count, None

        def two(running: MemoryRepeater) -> None:
            asked(running)
            asked(running)

        recording = record(int32(), two, filters=Pair(), on_connect=lambda link: 10)
        self.assertIn(b"13 of ann", b"".join(message.forward for message in recording.messages()))
        self.check(replay(recording, int32(), filters=Pair(), on_connect=lambda link: 10))
        self.assertEqual(
            6, replay(recording, int32(), filters=Pair(), on_connect=lambda link: 20).findings.counts.total()
        )

    def test_verdicts_may_come_later(self) -> None:
        """Coroutines and Deferreds have the clock of the recording; messages behind them wait."""

        def later(clock: Clock) -> dict[str, Any]:
            async def slowly(message: bytes, link: Link) -> Verdict:
                await deferLater(clock, 0.7, lambda: None)
                return Send(message + b" later")

            return {"to_server_filter": slowly, "clock": clock}

        recording = record(int32(), asked, **later(Clock()))
        self.assertIn(b"q2 later", recording.recorded_messages[-1].forward)
        arrived = sorted(recording.messages(), key=lambda message: (message.time, message.id))
        self.assertNotEqual(arrived, recording.recorded_messages)
        self.check(replay(recording, int32(), **later(Clock())))

    def test_a_verdict_that_does_not_come_is_missing(self) -> None:
        """The message and those behind it are missing at the end; only so many of them wait."""
        self.patch(filter_run, "MOST_WAITING", 2)

        def never(message: bytes, link: Link) -> Deferred[Verdict]:
            return Deferred()

        report = replay(record(int32(), asked), int32(), to_server_filter=never)
        self.assertEqual(2, report.findings.counts[Kind.MISSING])
        self.assertIn("not sent: 1 messages", report.text())

    def test_a_limit_has_the_clock_of_the_recording(self) -> None:
        """A limit of one message a second lets pass what was recorded a second apart, however fast it is played."""
        recording = record(int32(), asked)
        for rate, drops in ((1.1, 0), (0.6, 1)):
            clock = Clock()
            report = replay(recording, int32(), clock, to_server_filter=RateLimit(rate, burst=1, clock=clock))
            self.assertEqual(drops, report.findings.counts.total(), report.text())

    def test_messages_are_played_as_they_came(self) -> None:
        """A recording has messages in the order of verdicts; filters see them in the order in which they came."""
        self.patch(filter_run, "AHEAD", 3)
        recording = MemoryRecording()
        for time in (5, 1, 2, 4, 3, 9, 9):
            recording.add(time=time, direction=Direction.TO_SERVER)
        played = [(message.time, message.id) for message in by_arrival(recording.messages())]
        self.assertEqual([(1, 2), (2, 3), (3, 5), (4, 4), (5, 1), (9, 6), (9, 7)], played)

    def test_what_filters_send_by_themselves_is_compared(self) -> None:
        """A message that a filter sends to the client is found again, or is missing."""

        def tells(message: bytes, link: Link) -> Verdict:
            link.send_to_client(b"got " + message)
            return PASS_ON

        recording = record(int32(), asked, to_server_filter=tells)
        self.check(replay(recording, int32(), to_server_filter=tells))
        report = replay(recording, int32())
        self.assertEqual({Kind.MISSING: 3}, dict(report.findings.counts))
        self.assertEqual("sent to the client", report.findings.differences[0].parts[0].what)

    def test_the_state_may_come_later(self) -> None:
        """If ``on_connect`` takes its time, by the clock of the recording, the messages wait for the link."""
        clock = Clock()

        def soon(link: Link) -> Deferred[str]:
            return deferLater(clock, 0.1, lambda: "state")

        def check(message: bytes, link: Link) -> Verdict:
            return PASS_ON if link.state == "state" else DROP

        report = replay(record(int32(), asked), int32(), clock, on_connect=soon, to_server_filter=check)
        self.check(report)
        self.assertEqual(6, report.findings.equal)

    def test_a_pair_that_makes_no_filters_is_a_trouble(self) -> None:
        """If a pair raises for a link, its messages are not played, and the report says why."""

        class Pair:
            """Makes nothing."""

            def for_link(self, link: Link) -> tuple[None, None]:
                """See `IFilterPair`."""
                raise ValueError("not for this link")

        report = replay(record(int32(), asked), int32(), filters=Pair())
        first, second = (each.text for each in report.findings.differences)
        self.assertIn("not for this link", first)
        self.assertEqual("not sent: 6 messages, because the link was over", second)

    def test_a_wrong_dialect_is_noticed(self) -> None:
        """If a recorded message is several ones of the dialect, the report says so."""
        recording = record(int32(), lambda running: running.connect("ann").send(b"a\nb\n"))
        recording.recorded_messages = recording.recorded_messages[4:]
        report = replay(recording, lines())
        self.assertIn("is it the right one?", report.text())

    def test_messages_after_a_link_was_closed_are_not_played(self) -> None:
        """If a filter closes a link that went on, the rest of its messages is counted."""

        def closes(message: bytes, link: Link) -> Verdict:
            return Close() if message == b"q1" else PASS_ON

        report = replay(record(int32(), asked), int32(), to_server_filter=closes)
        self.check(report, "the verdict was PASS_ON, and is Close", "not sent: 3 messages, because the link was over")
        self.check(replay(record(int32(), asked, to_server_filter=closes), int32(), to_server_filter=closes))

    def test_the_failure_of_a_filter_is_noted(self) -> None:
        """What becomes of the message is compared; the note says why."""

        def fails(message: bytes, link: Link) -> Verdict:
            raise ValueError("no such message")

        report = replay(record(int32(), asked), int32(), to_server_filter=fails, on_filter_error="drop")
        self.assertEqual(3, report.findings.counts[Kind.DIFFERENT])
        self.assertIn("failed: ValueError: no such message", report.text())
        kept = replay(record(int32(), asked), int32(), to_server_filter=fails)
        self.assertGreater(kept.findings.counts.total(), 0)
        self.assertEqual(4, len(self.flushLoggedErrors(ValueError)))

    def test_links_of_one_name_and_of_no_end_are_played(self) -> None:
        """Links overlap as they did; one without a recorded end is played to the end of the recording."""
        recording = record(int32(), asked)
        again = record(int32(), asked)
        recording.add_link(client_name="ann", ended=None)
        recording.recorded_messages = [
            message
            for pair in zip(recording.recorded_messages, again.recorded_messages, strict=True)
            for message in pair
        ]
        for message in recording.recorded_messages[1::2]:
            message.link = 2
        report = replay(recording, int32())
        self.check(report)
        self.assertEqual((12, 2), (report.findings.equal, report.findings.links))

    def test_several_versions_are_converted(self) -> None:
        """A dialect with several versions is played with those that the recorded hellos have agreed on."""
        texts = MessageType(
            {1: TextCodec("utf-8"), 2: TextCodec("utf-8")},
            low=1,
            prod=2,
            test=2,
            conversions={2: Conversion(up=str.upper, down=str.lower)},
        )
        dialect = int32(to_server=texts)

        def play(running: MemoryRepeater) -> None:
            running.connect("ann", send_version=1).send("a")

        recording = record(dialect, play, convert_versions=True)
        self.assertEqual(1, replay(recording, dialect).findings.equal)


class DialectTests(FilterRunCase):
    """Promises about ready dialects."""

    def test_marks_of_redis_come_back_as_those_of_now(self) -> None:
        """The server's recorded answer has the recorded mark; the filter of now finds its own in it."""

        def play(running: MemoryRepeater) -> None:
            client = running.connect("ann")
            server = running.server.connections[-1]
            client.send(Command("DEL", "x"), Command("GET", "x"))
            mark = server.received[0].name
            server.send(Reply.failure(f"ERR unknown command '{mark}', with args beginning with: "), Reply(b"1"))
            client.expect(Reply.failure(str(client.received[0].error)), Reply(b"1"))

        def filters() -> dict[str, Any]:
            return {"filters": Commands(refuse=("DEL",))}

        recording = record(redis(), play, **filters())
        report = replay(recording, redis(), **filters())
        self.check(report)
        self.assertEqual(4, report.findings.equal + report.findings.masked)
        self.assertGreater(replay(recording, redis()).findings.counts.total(), 0)

    def test_the_opening_of_mqtt_is_played(self) -> None:
        """The first message gives the link its name and its version."""

        def play(running: MemoryRepeater) -> None:
            client = running.connect("ann", says=[Connect("c1", version=5)])
            server = running.server.connections[-1]
            server.send(ConnAck(properties=Properties([(Property.MAXIMUM_QOS, 1)])))
            client.send(Publish("a", b"x", properties=Properties([(Property.CONTENT_TYPE, "text")])))

        recording = record(mqtt(), play)
        self.check(replay(recording, mqtt()))
        del recording.recorded_messages[0]
        report = replay(recording, mqtt())
        self.assertEqual({Kind.TROUBLE: 2}, dict(report.findings.counts))
        self.assertIn("the link could not be made", report.text())
        self.assertIn("openings were not played", report.text())

    def test_a_link_that_was_recorded_from_its_middle_is_made_as_it_was_recorded(self) -> None:
        """Without its opening, a link has the recorded name; its messages are compared."""
        recording = record(int32(), asked)
        later = [message for message in recording.recorded_messages if message.origin is Origin.MESSAGE]
        for kept in (later, later[1:]):
            recording.recorded_messages = kept
            names: list[str] = []

            def note(message: bytes, link: Link, names: list[str] = names) -> Verdict:
                names.append(link.client_name)
                return PASS_ON

            report = replay(recording, int32(), to_server_filter=note, to_client_filter=note)
            self.check(report)
            self.assertEqual(["ann"] * len(kept), names)
            self.assertIn("openings were not played", report.text())

    def test_an_opening_is_not_played_twice(self) -> None:
        """What an opening read is left out of a link that was made as it was recorded."""
        recording = record(int32(), asked)
        messages = recording.recorded_messages
        recording.recorded_messages = [messages[5], messages[0], *messages[6:]]
        recording.recorded_messages[1].time = messages[5].time
        self.check(replay(recording, int32()))

    def test_a_link_that_is_missing_in_the_file_is_played_without_a_name(self) -> None:
        """If a part of the file is damaged, messages may have no link."""
        recording = MemoryRecording()
        for number in (1, 2):
            recording.add(
                link=9,
                number=number,
                direction=Direction.TO_SERVER,
                frame=b"a\n",
                passed=True,
                verdict="PASS_ON",
            )
        self.check(replay(recording, lines()))

    def test_the_store_of_fix_is_not_touched(self) -> None:
        """A replay keeps numbers in memory, so that those of the running repeater stay."""
        store = self.mktemp()
        logon = FixMessage("A", {98: 0, 108: 30}).with_header(
            "FIX.4.4", [(34, b"1"), (49, b"ANN"), (56, b"EX"), (52, b"20260101-00:00:00")]
        )
        recording = MemoryRecording()
        recording.add_link(client_name="FIX.4.4:ANN->EX")
        recording.add(
            number=1, direction=Direction.TO_SERVER, frame=logon.frame, passed=True, verdict="PASS_ON", time=BEGAN
        )
        self.check(replay(recording, fix(store=store), filters=FilterPair(to_server=lambda message, link: PASS_ON)))
        self.assertFalse(os.path.exists(store))
