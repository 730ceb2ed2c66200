"""How scripted peers read."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Hello, Limits, dialects
from twisted_repeater.testing._setting import Inbox


class InboxTests(SynchronousTestCase):
    """What cuts received bytes into a hello and payloads."""

    def test_any_cut(self) -> None:
        """The hello and the payloads come out with their frames, however the bytes are cut."""
        for dialect in (dialects.int32(), dialects.async_extra()):
            hello = dialect.handshake(Limits()).encode(Hello("alice", dialect.mode))
            frames = [dialect.framing(Limits()).encode(payload) for payload in (b"", b"hello", b"x" * 300)]
            data = hello + b"".join(frames)
            for size in (1, 7, 100, len(data)):
                inbox = Inbox(dialect)
                pieces = [data[at : at + size] for at in range(0, len(data), size)]
                found = [each for piece in pieces for each in inbox.feed(piece)]
                self.assertEqual([frame for frame, _ in found], [hello, *frames])
                self.assertEqual([payload for _, payload in found[1:]], [b"", b"hello", b"x" * 300])
                self.assertEqual(inbox.handshake.decode(found[0][1]).name, "alice")
