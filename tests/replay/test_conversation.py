"""The comparison of the answers of one link."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects import Dialect, fix, int32, lines, mqtt, redis
from twisted_repeater.dialects.mqtt import ConnAck, Connect, Properties, Property, PubAck, Publish, SubAck
from twisted_repeater.dialects.mqtt.codec import MqttCodec
from twisted_repeater.dialects.redis import Command, Reply
from twisted_repeater.recording.records import RecordedLink
from twisted_repeater.replay import conversation as module
from twisted_repeater.replay.comparison import Comparison
from twisted_repeater.replay.conversation import Conversation
from twisted_repeater.replay.differences import Difference, Kind, Trouble
from twisted_repeater.replay.masks import Masks, masks_of

from ..drawn import examples

CODEC = MqttCodec(5)


def fixed(kind: str, number: int, time: str, *fields: str) -> bytes:
    """Return a message of FIX."""
    body = "".join(f"{field}\x01" for field in (f"35={kind}", f"34={number}", f"52={time}", *fields)).encode()
    data = b"8=FIX.4.4\x019=%d\x01%s" % (len(body), body)
    return data + b"10=%03d\x01" % (sum(data) % 256)


class ConversationCase(SynchronousTestCase):
    """A test with one conversation."""

    comparison: Comparison
    conversation: Conversation

    def begin(
        self, dialect: Dialect, masks: Masks | None = None, max_differences: int = 100, **details: object
    ) -> None:
        """Begin a conversation."""
        self.comparison = Comparison(dialect, masks=masks, max_differences=max_differences)
        link = RecordedLink(id=7, link=7, client_name="ann", details=details)
        self.conversation = self.comparison.conversation(link)

    def differences(self) -> list[Difference]:
        """End the conversation, and return its differences."""
        self.conversation.end()
        return self.comparison.findings.differences

    def compare(self, recorded: Sequence[bytes], replayed: Sequence[bytes]) -> list[Difference]:
        """Give the conversation all answers, and return the differences."""
        for message in recorded:
            self.conversation.recorded(message)
        for message in replayed:
            self.conversation.replayed(message)
        return self.differences()


class RedisTests(ConversationCase):
    """Promises, with replies of Redis."""

    def test_a_reply_in_a_pipeline_has_its_own_request(self) -> None:
        """The request of a difference is the one that was answered, not the last one."""
        self.begin(redis())
        for name in ("a", "b", "c"):
            self.conversation.sends(bytes(Command("GET", name)))
        (difference,) = self.compare([b":1\r\n", b":2\r\n", b":3\r\n"], [b":1\r\n", b":7\r\n", b":3\r\n"])
        assert difference.request is not None
        self.assertEqual((2, "Command('GET', b'b')"), (difference.request.number, difference.request.shown.text))

    def test_what_is_ignored_is_not_awaited(self) -> None:
        """Messages that come by themselves now and then may be ignored; nobody waits for one."""
        self.begin(redis(), masks_of(ignored=["beat"]))
        self.assertEqual([False, True], [self.conversation.recorded(each) for each in (b"+beat\r\n", b"+OK\r\n")])
        self.assertEqual([False, True], [self.conversation.replayed(each) for each in (b"+beat\r\n", b"+OK\r\n")])

    def test_what_is_published_may_come_in_any_order(self) -> None:
        """The order of publications is chance, and noted; a missing one is a difference."""
        self.begin(redis())
        one, two, three = (b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\n%d\r\n" % number for number in (1, 2, 3))
        (difference,) = self.compare([one, two, three], [two, one])
        self.assertEqual((Kind.MISSING, 3), (difference.kind, difference.number))
        self.assertEqual({"messages that come by themselves came in another order": 1}, self.comparison.findings.notes)

    def test_a_different_answer_is_reported_with_its_request(self) -> None:
        """The difference has both answers, decoded, and the request before them."""
        self.begin(redis())
        self.conversation.sends(bytes(Command("GET", "x")), time=5)
        self.conversation.recorded(bytes(Reply(b"one")), time=6)
        self.conversation.replayed(bytes(Reply.failure("ERR no")))
        (difference,) = self.differences()
        self.assertEqual((Kind.DIFFERENT, 7, "ann"), (difference.kind, difference.link, difference.client_name))
        self.assertEqual((1, 1, 6), (difference.number, difference.replayed_number, difference.time))
        assert difference.request is not None
        self.assertEqual((1, "Command('GET', b'x')"), (difference.request.number, difference.request.shown.text))
        (part,) = difference.parts
        assert part.expected is not None
        assert part.came is not None
        self.assertEqual(("Reply(b'one')", "Reply(ErrorText('ERR no'))"), (part.expected.text, part.came.text))

    def test_one_missing_answer_is_one_difference(self) -> None:
        """The answers after one that is missing are paired with their own counterparts."""
        self.begin(redis())
        answers = [bytes(Reply(number)) for number in range(10)]
        (difference,) = self.compare(answers, answers[:4] + answers[5:])
        self.assertEqual((Kind.MISSING, 5, None), (difference.kind, difference.number, difference.replayed_number))
        self.assertEqual(9, self.comparison.findings.equal)

    def test_one_answer_more_is_one_difference(self) -> None:
        """An answer that was not recorded is extra."""
        self.begin(redis())
        (difference,) = self.compare([b":1\r\n", b":2\r\n"], [b":1\r\n", b"+x\r\n", b":2\r\n"])
        self.assertEqual((Kind.EXTRA, None, 2), (difference.kind, difference.number, difference.replayed_number))

    @settings(max_examples=examples(50), deadline=None, derandomize=True)
    @given(st.lists(st.integers(0, 3), max_size=10))
    def test_pushes_may_change_places_with_answers(self, kinds: list[int]) -> None:
        """Whenever a published message comes, there is no difference, as long as each channel keeps its order."""
        self.begin(redis())
        pushes = [b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n:%d\r\n" % kind for kind in kinds]
        answers = [b"+%d\r\n" % kind for kind in kinds]
        self.assertEqual([], self.compare(pushes + answers, answers + pushes))

    def test_a_cursor_is_sent_with_its_new_value(self) -> None:
        """A token is learnt from the answer that a mask matches, and is in the requests after it."""
        self.begin(redis(), masks_of(patterns=[r"\A\*2\r\n\$\d+\r\n(?P<cursor>\d+)\r\n", r"\A\*2\r\n(\$\d+)"]))
        self.conversation.recorded(bytes(Reply([b"17179869184", [b"a"]])))
        self.conversation.replayed(bytes(Reply([b"123456", [b"a"]])))
        self.assertEqual(
            bytes(Command("SCAN", "123456")), self.conversation.sends(bytes(Command("SCAN", "17179869184")))
        )
        self.assertEqual([], self.differences())
        self.assertEqual(1, self.comparison.findings.masked)

    def test_messages_can_be_ignored(self) -> None:
        """A message that is ignored is counted, and keeps the numbers of the others."""
        self.begin(redis(), masks_of(ignored=[r"^\+note"]))
        (difference,) = self.compare([b"+note 1\r\n", b":1\r\n"], [b"+note 2\r\n", b"+note 3\r\n", b":2\r\n"])
        self.assertEqual((2, 3), (difference.number, difference.replayed_number))
        self.assertEqual(3, self.comparison.findings.ignored)


class MqttTests(ConversationCase):
    """Promises, with packets of MQTT."""

    def test_acknowledgements_and_topics_may_change_places(self) -> None:
        """Packets are paired by type, and publications by topic."""
        self.begin(mqtt(), version=5)
        packets = [
            CODEC.encode(packet) for packet in (Publish("a", b"1"), Publish("b", b"2"), PubAck(1), SubAck(2, (0,)))
        ]
        self.assertEqual([], self.compare(packets, packets[::-1]))
        self.begin(mqtt(), version=5)
        (difference,) = self.compare(packets, [CODEC.encode(Publish("b", b"3")), packets[2], packets[3], packets[0]])
        assert difference.parts[0].came is not None
        self.assertEqual("Publish(topic='b', payload=b'3')", difference.parts[0].came.text)

    def test_the_assigned_name_is_sent_with_its_new_value(self) -> None:
        """The client id that a broker assigns is a token without being asked for, on other links, too."""
        self.begin(mqtt(), version=5)
        for name, give in (("auto-OLD", self.conversation.recorded), ("auto-NEWER", self.conversation.replayed)):
            give(CODEC.encode(ConnAck(properties=Properties([(Property.ASSIGNED_CLIENT_IDENTIFIER, name)]))))
        again = self.comparison.conversation(RecordedLink(id=8, link=8, details={"version": 5}))
        sent = again.sends(CODEC.encode(Connect("auto-OLD", version=5)))
        self.assertEqual(CODEC.encode(Connect("auto-NEWER", version=5)), sent)
        self.assertEqual([], self.differences())


class FixTests(ConversationCase):
    """Promises, with messages of FIX."""

    def test_times_and_checksums_are_masked(self) -> None:
        """Messages that differ in what a session computes are equal; any other field counts unless it is masked."""
        old, new = "20260101-00:00:00", "20260102-10:11:12.345"
        self.begin(fix())
        self.assertEqual([], self.compare([fixed("8", 2, old, "37=A")], [fixed("8", 2, new, "37=A")]))
        self.begin(fix())
        self.assertEqual(1, len(self.compare([fixed("8", 2, old, "37=A")], [fixed("8", 2, new, "37=B")])))
        self.begin(fix(), masks_of(fields=["37"]))
        self.assertEqual([], self.compare([fixed("8", 2, old, "37=A")], [fixed("8", 2, new, "37=B")]))

    def test_heartbeats_do_not_shift_the_pairs(self) -> None:
        """A heartbeat more is one difference, wherever it comes."""
        time = "20260101-00:00:00"
        orders = [fixed("8", 2, time, f"37={number}") for number in range(5)]
        self.begin(fix())
        (difference,) = self.compare(orders, [orders[0], fixed("0", 3, time), *orders[1:]])
        self.assertEqual(Kind.EXTRA, difference.kind)


class ConversationTests(ConversationCase):
    """Promises about any dialect."""

    def test_unasked_messages_have_a_sequence_of_their_own(self) -> None:
        """Messages that match may change places with answers."""
        self.begin(lines(), masks_of(unasked=["^NOTE"]))
        self.assertEqual([], self.compare([b"NOTE\n", b"a\n", b"b\n"], [b"a\n", b"b\n", b"NOTE\n"]))

    def test_the_counterpart_may_come_first(self) -> None:
        """An answer may come sooner than the player has reached it in the recording, also one with a token."""
        self.begin(lines(), masks_of(patterns=[r"session (?P<id>\w+)"]))
        self.conversation.replayed(b"session wxyz\n")
        self.conversation.recorded(b"session abcd\n")
        self.assertEqual(b"use wxyz\n", self.conversation.sends(b"use abcd\n"))
        self.assertEqual([], self.differences())

    def test_tokens_are_learnt_from_equal_answers_only(self) -> None:
        """An answer that differs in more than the token teaches nothing."""
        self.begin(lines(), masks_of(patterns=[r"session (?P<id>\w+)"]))
        self.conversation.recorded(b"session abcd of ann\n")
        self.conversation.replayed(b"session wxyz of bob\n")
        self.assertEqual(b"use abcd\n", self.conversation.sends(b"use abcd\n"))

    def test_only_so_many_answers_with_tokens_wait(self) -> None:
        """The oldest answer whose counterpart has not come teaches nothing any more."""
        self.patch(module, "MOST_WITH_TOKENS", 1)
        self.begin(lines(), masks_of(patterns=[r"session (?P<id>\w+)"]))
        for message in (b"1 session abcd\n", b"2 session efgh\n"):
            self.conversation.recorded(message)
        for message in (b"1 session ABCD\n", b"2 session EFGH\n"):
            self.conversation.replayed(message)
        self.assertEqual(b"abcd EFGH\n", self.conversation.sends(b"abcd efgh\n"))

    def test_only_so_many_sequences_are_made(self) -> None:
        """Further kinds of messages share a sequence."""
        self.patch(module, "MOST_SEQUENCES", 1)
        self.begin(mqtt(), version=5)
        packets = [CODEC.encode(Publish(topic, b"")) for topic in "abc"]
        self.assertEqual([], self.compare(packets, packets))

    def test_the_first_differences_are_kept(self) -> None:
        """The others are counted; troubles count as differences."""
        self.begin(int32(), max_differences=1)
        self.conversation.trouble(Trouble.LOST, "connection\nreset")
        self.conversation.trouble(Trouble.STALLED, "")
        (difference,) = self.compare([b"\0\0\0\1a"] * 5, [b"\0\0\0\1b"] * 5)
        self.assertEqual("connection lost: connection\\nreset", difference.text)
        self.assertEqual({Kind.DIFFERENT: 5, Kind.TROUBLE: 2}, dict(self.comparison.findings.counts))
        self.assertIn("no answer in time", self.comparison.findings.troubles)

    def test_a_trouble_has_the_request_before_it(self) -> None:
        """A trouble is reported with the last request."""
        self.begin(lines())
        self.conversation.sends(b"quit\n")
        self.conversation.trouble(Trouble.LOST, "reset")
        (difference,) = self.differences()
        assert difference.request is not None
        self.assertEqual("b'quit'", difference.request.shown.text)

    def test_notes_are_no_differences(self) -> None:
        """A note is for the reader; so is that a token could not be replaced."""
        self.begin(
            Dialect(name="x", framing=lines().framing, to_server=Codec()), masks_of(patterns=[r"id (?P<id>\w+)"])
        )
        self.conversation.note("the recording begins in the middle")
        self.conversation.recorded(b"id abcd\n")
        self.conversation.replayed(b"id longer\n")
        self.conversation.sends(b"abcd\n")
        self.assertEqual([], self.differences())
        self.assertEqual(2, len(self.comparison.findings.notes))

    def test_the_message_of_a_dialect_may_fail(self) -> None:
        """A message whose fields cannot be read has no tokens; Ctrl-C ends the replay."""
        for error in (ValueError, KeyboardInterrupt):
            self.begin(
                Dialect(name="x", framing=lines().framing, to_client=Codec(error)), masks_of(token_fields=["id"])
            )
            if error is KeyboardInterrupt:
                self.assertRaises(KeyboardInterrupt, self.conversation.recorded, b"a\n")
            else:
                self.assertEqual([], self.compare([b"a\n"], [b"a\n"]))


class Message(dict[str, object]):
    """A mapping whose items cannot be read."""

    error: type[BaseException]

    def items(self) -> object:  # type: ignore[override]
        """Fail."""
        raise self.error


class Codec:
    """Decodes messages whose parts cannot be read, and encodes nothing."""

    def __init__(self, error: type[BaseException] | None = None) -> None:
        self._error = error

    def decode(self, payload: bytes) -> object:
        """See `ICodec`."""
        if self._error is None:
            return payload
        message = Message()
        message.error = self._error
        return message

    def encode(self, message: object) -> bytes:
        """See `ICodec`."""
        raise ValueError("nothing can be encoded")


class AcknowledgementTests(ConversationCase):
    """Promises about acknowledgements."""

    def test_acknowledgements(self) -> None:
        """They wait for their messages; a link that has left some out has a note."""
        self.begin(mqtt(), version=5)
        acknowledgement = CODEC.encode(PubAck(1))
        self.assertTrue(self.conversation.acknowledges(acknowledgement))
        self.assertEqual(b"", self.conversation.acknowledge(acknowledgement))
        message = CODEC.encode(Publish("a", b"", qos=1, packet_id=5))
        self.assertEqual(CODEC.encode(PubAck(5)), self.conversation.acknowledgement_of(message))
        self.conversation.acknowledge(acknowledgement)
        self.assertEqual([], self.differences())
        self.assertEqual((1, 1), (self.comparison.findings.requests, len(self.comparison.findings.notes)))

    def test_what_others_notice(self) -> None:
        """What is published and not kept may change places with what other links publish."""
        self.begin(mqtt(), version=5)
        publications = [CODEC.encode(Publish("a", b"", retain=retain)) for retain in (False, True)]
        self.assertEqual([False, True], [self.conversation.gets_answer(each) for each in publications])
        self.begin(lines())
        self.assertTrue(self.conversation.gets_answer(b"a"))
        self.assertFalse(self.conversation.acknowledges(b"a"))
        self.assertEqual(b"", self.conversation.acknowledgement_of(b"a"))
        self.conversation.sends(b"a")
        self.assertFalse(self.conversation.gets_answer(b"a"))
