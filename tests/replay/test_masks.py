"""What may differ."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects import int32, mqtt
from twisted_repeater.dialects.mqtt import ConnAck, Properties, Property
from twisted_repeater.dialects.mqtt.codec import MqttCodec
from twisted_repeater.model import Direction
from twisted_repeater.replay.decoding import Decoder
from twisted_repeater.replay.masks import Masks, masks_of

TO_CLIENT = Direction.TO_CLIENT


def framed(payload: bytes) -> bytes:
    """Return a frame of int32."""
    return len(payload).to_bytes(4, "big") + payload


class FailingCodec:
    """Decodes messages whose parts cannot be read."""

    def __init__(self, error: type[BaseException]) -> None:
        self._error = error

    def decode(self, payload: bytes) -> object:
        """See `ICodec`."""
        return FailingMessage(self._error)

    def encode(self, message: object) -> bytes:
        """See `ICodec`."""
        return b""


class FailingMessage(dict[str, object]):
    """A mapping whose items cannot be read."""

    def __init__(self, error: type[BaseException]) -> None:
        self._error = error

    def items(self) -> object:  # type: ignore[override]
        """Fail."""
        raise self._error


class MaskTests(SynchronousTestCase):
    """Promises about masks."""

    def assert_same(self, masks: Masks, one: bytes, other: bytes, *, same: bool = True) -> None:
        """Check that two payloads are equal but for masks, or are not."""
        decoder = Decoder(int32())
        keys = [masks.key_of(framed(payload), decoder, TO_CLIENT) for payload in (one, other)]
        (self.assertEqual if same else self.assertNotEqual)(*keys)

    def test_what_a_pattern_matches_is_masked(self) -> None:
        """A pattern without groups masks all that it matches, whatever its length is; an empty match masks nothing."""
        masks = masks_of(patterns=[r"\d+ ms|\Z"])
        self.assertEqual(b"took <masked>, <masked>", masks.masked(b"took 7 ms, 12345 ms"))
        self.assertEqual(b"x", masks.masked(b"x"))
        self.assert_same(masks, b"7 ms", b"8 ms")

    def test_groups_are_masked_alone(self) -> None:
        """A pattern with groups masks only these, also if one is in another one or stands for nothing."""
        masks = masks_of(patterns=[r"id=((\d)\d*)(;x)? at (\d+)"])
        self.assertEqual(b"id=<masked> at <masked>.", masks.masked(b"id=123 at 99."))

    def test_fields_are_masked_by_name(self) -> None:
        """A field is masked wherever it is in JSON, however its name is written."""
        masks = masks_of(fields=["Session-ID"])
        self.assert_same(masks, b'{"a": [{"session_id": 1}]}', b'{"a": [{"session_id": 2}]}')
        self.assert_same(masks, b'{"a": 1, "session_id": 1}', b'{"a": 2, "session_id": 1}', same=False)
        self.assert_same(masks, b"text", b"other", same=False)

    def test_patterns_work_inside_of_fields(self) -> None:
        """If a field is masked, patterns mask what they match in the other texts."""
        masks = masks_of(fields=["id"], patterns=[r"\d+ ms"])
        self.assert_same(masks, b'{"id": 1, "t": "took 7 ms"}', b'{"id": 2, "t": "took 8 ms"}')
        self.assert_same(masks, b'{"id": 1, "t": "x"}', b'{"id": 2, "t": "y"}', same=False)
        self.assert_same(masks, b'7 ms {"id"', b'8 ms {"id"')

    def test_a_message_that_fails_is_compared_as_bytes(self) -> None:
        """A message whose parts cannot be read is compared by its bytes; Ctrl-C ends the replay."""
        masks = masks_of(fields=["id"])
        decoder = Decoder(int32().changed(to_client=FailingCodec(ValueError)))
        self.assertEqual(framed(b"x"), masks.key_of(framed(b"x"), decoder, TO_CLIENT))
        decoder = Decoder(int32().changed(to_client=FailingCodec(KeyboardInterrupt)))
        self.assertRaises(KeyboardInterrupt, masks.key_of, framed(b"x"), decoder, TO_CLIENT)

    def test_named_groups_are_tokens(self) -> None:
        """A named group is masked, and is a token; an empty one is none."""
        masks = masks_of(patterns=[r"session=(?P<session>\w*)", r"\d+"])
        self.assertTrue(masks.has_tokens)
        self.assertEqual([("session", b"ab1")], list(masks.tokens_in(b"session=ab1, session=")))
        self.assertEqual([], list(masks.tokens_of({"session": "x"})))

    def test_fields_can_be_tokens(self) -> None:
        """The values of token fields are tokens, as texts; what has parts is none."""
        masks = masks_of(token_fields=["id"])
        message = b'{"id": "abc", "x": {"id": 17}, "y": [{"id": null}, {"id": [1]}]}'
        self.assertEqual([("id", b"abc"), ("id", b"17")], list(masks.tokens_of(message)))
        self.assertEqual([("id", b"raw")], list(masks.tokens_of({"id": b"raw"})))

    def test_ready_dialects_have_usual_masks(self) -> None:
        """The id that a broker assigns is a token, and the time of a FIX message is masked."""
        masks = Masks().with_usual("mqtt")
        connack = ConnAck(properties=Properties([(Property.ASSIGNED_CLIENT_IDENTIFIER, "auto-1")]))
        decoder = Decoder(mqtt(), 5)
        message, _ = decoder.decoded(MqttCodec(5).encode(connack), TO_CLIENT)
        self.assertEqual([("assigned_client_identifier", b"auto-1")], list(masks.tokens_of(message)))
        self.assertIn("52", Masks().with_usual("fix").fields)
        self.assertTrue(Masks().with_usual("lines").empty)
        hello = b"%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$2\r\nid\r\n:1234\r\n"
        redis = Masks().with_usual("redis")
        self.assertEqual(hello.replace(b"1234", b"<masked>"), redis.masked(hello))
        self.assertEqual(b"%1\r\n$2\r\nid\r\n:1\r\n", redis.masked(b"%1\r\n$2\r\nid\r\n:1\r\n"))

    def test_what_a_repeater_chooses_at_random_is_masked(self) -> None:
        """The marks of a repeater, the ids of its reports and the times of its answers differ each time."""
        for dialect, text, masked in (
            ("redis", b"TWISTED-REPEATER:0123456789ABCDEF:7", b"TWISTED-REPEATER:<masked>:7"),
            ("postgres", b"$refused_by_twisted_repeater_0123456789abcdef$", b"$refused_by_twisted_repeater_<masked>$"),
            ("fix", b"\x0117=0123456789ab-7\x01", b"\x0117=<masked>\x01"),
            ("hl7", b"MSH|^|A|B|C|D|20260101000000+0000||ACK|0123456789ABCDEF0123|P", None),
        ):
            own = Masks().with_own(dialect)
            found = own.masked(text)
            self.assertEqual(masked, found) if masked else self.assertNotIn(b"2026", found)

    def test_messages_are_ignored_or_unasked(self) -> None:
        """A message that matches is not compared, or may come at any time."""
        masks = masks_of(ignored=["^PING"], unasked=["^NOTE"])
        self.assertEqual((True, False), (masks.ignores(b"PING 1"), masks.ignores(b"PONG")))
        self.assertEqual((True, False), (masks.is_unasked(b"NOTE 1"), masks.is_unasked(b"PONG")))
        self.assertTrue(masks.empty)

    def test_a_wrong_pattern_is_an_error(self) -> None:
        """The error names the option, the expression and the reason."""
        for option, values in (
            ("--mask", {"patterns": ["("]}),
            ("--ignore", {"ignored": ["("]}),
            ("--unasked", {"unasked": ["("]}),
        ):
            error = self.assertRaises(ValueError, masks_of, **values)
            self.assertIn(f"{option}: must be a regular expression, not '('", str(error))

    def test_masks_can_be_made_of_expressions(self) -> None:
        """A program may give compiled expressions."""
        masks = Masks(patterns=[re.compile(rb"\d")], fields=["id"])
        self.assertTrue(masks.looks_at_fields)
        self.assertFalse(masks.has_tokens)
