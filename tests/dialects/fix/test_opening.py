"""Tests of the opening, and of what logs may show."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import InvalidHello, dialects
from twisted_repeater.dialects.fix import Identity, Logon
from twisted_repeater.dialects.fix.codec import decode
from twisted_repeater.dialects.fix.opening import redacted
from twisted_repeater.model import Direction
from twisted_repeater.testing import MemoryRepeater, OpeningHarness, Step

from .samples import LOGON, ORDER, frame

ANSWER = frame("35=A|49=EXCHANGE|56=ANN|34=1|52=20260102-03:04:05.700|98=0|108=30|")


class OpeningTests(SynchronousTestCase):
    """How a link begins."""

    def test_steps(self) -> None:
        """The Logon is looked at, the server dialled, and both get what the other has said."""
        for cut in (1, 1000):
            run = OpeningHarness(dialects.fix())
            run.client_connects()
            sent = b""
            for at in range(0, len(LOGON), cut):
                sent += run.client_sends(LOGON[at : at + cut]).to_server
            self.assertEqual(sent, LOGON)
            self.assertEqual((run.step, run.name), (Step.LINKED, "FIX.4.4:ANN->EXCHANGE"))
            self.assertEqual(
                dict(run.link.details),
                {
                    "begin_string": "FIX.4.4",
                    "version": "FIX.4.4",
                    "sender": "ANN",
                    "target": "EXCHANGE",
                    "heartbeat": 30,
                    "username": None,
                    "identity": Identity("FIX.4.4", "ANN", "EXCHANGE"),
                },
            )
            self.assertIsInstance(run.link.client_hello, Logon)
            self.assertEqual(run.link.client_hello.frame, LOGON)
            self.assertEqual(run.server_sends(ANSWER).to_client, ANSWER)
            self.assertEqual(run.client_sends(ORDER).to_server, ORDER)

    def test_fixt(self) -> None:
        """In FIXT the version of the application is the one that the Logon names."""
        run = OpeningHarness(dialects.fix(sub_ids=True))
        run.client_connects()
        run.client_sends(frame("35=A|49=ANN|50=DESK|56=EX|34=1|98=0|108=0|553=ann|554=pw|1137=9|", "FIXT.1.1"))
        self.assertEqual(run.name, "FIXT.1.1:ANN/DESK->EX")
        details = run.link.details
        self.assertEqual((details["version"], details["username"], details["heartbeat"]), ("FIX.5.0SP2", "ann", 0))

    def test_nothing_before_it(self) -> None:
        """The server is not dialled before the Logon is whole."""
        run = OpeningHarness(dialects.fix())
        run.client_connects()
        run.client_sends(LOGON[:-1])
        self.assertEqual(run.step, Step.BEGUN)

    def refused(self, said: bytes, words: str, **options: Any) -> None:
        """Check that a client that says this is refused without an answer."""
        running = MemoryRepeater(dialects.fix(**options))
        client = running.connect(says=[said])
        self.assertEqual([type(error) for error in running.refusals], [InvalidHello])
        self.assertIn(words, str(running.refusals[0]))
        self.assertIsNotNone(client.lost)
        self.assertEqual(client.received_bytes, b"")

    def test_others(self) -> None:
        """Another protocol, and another message than a Logon, are refused without an answer."""
        for said, words in (
            (b"GET / HTTP/1.1\r\n", "a FIX message must begin with 8=FIX and 9="),
            (b"\x16\x03\x01", "a FIX message must begin with 8=FIX and 9="),
            (ORDER, "a client must begin with a Logon, not a message of type 'D'"),
            (frame("35=5|49=ANN|56=EX|34=1|"), "a client must begin with a Logon, not a message of type '5'"),
            (frame("35=A|49=ANN|34=1|"), "a Logon must have SenderCompID and TargetCompID"),
            (frame("35=A|49=|56=EX|34=1|"), "a Logon must have SenderCompID and TargetCompID"),
            (frame("35=A|49=ANN|56=EX|108=x|"), "the value must be a whole number"),
            (frame("35=A|49=ANN|56=EX|", check="000"), "CheckSum must be"),
            (frame("35=A|49=ANN|x=1|"), "a field must be a number"),
        ):
            self.refused(said, words)

    def test_too_long(self) -> None:
        """A Logon that is too long is refused at its header."""
        self.refused(LOGON[:20], f"at most {len(LOGON) - 1} are allowed", max_logon=len(LOGON) - 1)


class RedactedTests(SynchronousTestCase):
    """What logs may show."""

    def test_passwords(self) -> None:
        """Passwords of a Logon are left out; what has none is the same object."""
        logon = decode(frame("35=A|95=2|96=pw|553=ann|554=secret|925=new|"))
        shown = redacted(logon, Direction.TO_SERVER)
        self.assertEqual(shown.frame, frame("35=A|95=3|96=***|553=ann|554=***|925=***|"))
        for message in (decode(LOGON), decode(ORDER)):
            self.assertIs(redacted(message, Direction.TO_SERVER), message)

    def test_bytes(self) -> None:
        """Of a Logon that nobody has decoded only the beginning is shown."""
        data = frame("35=A|554=secret|")
        self.assertEqual(redacted(data, Direction.TO_SERVER), b"8=FIX.4.4\x019=16\x0135=A\1***")
        data = frame("35=BE|923=1|554=secret|")
        self.assertEqual(redacted(data, Direction.TO_SERVER), b"8=FIX.4.4\x019=23\x0135=BE\1***")
        self.assertIs(redacted(ORDER, Direction.TO_SERVER), ORDER)
        self.assertIsNone(redacted(None, Direction.TO_SERVER))
