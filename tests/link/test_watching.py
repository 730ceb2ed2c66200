"""Who is told of what, when somebody watches links."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from twisted_repeater import (
    DROP,
    PASS_ON,
    Close,
    ConnectingError,
    Direction,
    Origin,
    PassOnAndSendBack,
    Send,
    Verdict,
    WatchedMessage,
)

from .memory_case import MemoryCase

TO_SERVER, TO_CLIENT = Direction.TO_SERVER, Direction.TO_CLIENT


def frame(payload: bytes) -> bytes:
    """Return the frame of a payload."""
    return len(payload).to_bytes(4, "big") + payload


class Watcher:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.messages: list[WatchedMessage] = []
        self.events: list[tuple[str, str]] = []
        self.ends: Deferred[None] | None = None
        self.ended = 0

    def message_watched(self, message: WatchedMessage) -> None:
        """See `IWatcher`."""
        self.messages.append(message)
        self.events.append((message.origin.value, message.link.client_name))

    def link_made(self, link: Any) -> None:
        """See `ILinkWatcher`."""
        self.events.append(("made", link.client_name))

    def link_ended(self, link: Any, reason: BaseException | None) -> None:
        """See `ILinkWatcher`."""
        self.events.append(("ended", link.client_name))

    def link_refused(self, link: Any, error: ConnectingError) -> None:
        """See `ILinkWatcher`."""
        self.events.append(("refused", type(error).__name__))

    def watch_ended(self) -> Deferred[None] | None:
        """See `ILinkWatcher`."""
        self.ended += 1
        return self.ends

    def of(self, origin: Origin) -> list[WatchedMessage]:
        """Return the messages of an origin."""
        return [message for message in self.messages if message.origin is origin]


def judge(message: bytes, link: Any) -> Verdict:
    """Decide by the first letter of a message."""
    verdicts: dict[bytes, Verdict] = {
        b"d": DROP,
        b"s": Send(b"one", b"two"),
        b"a": PassOnAndSendBack([b"answer"]),
        b"c": Close(forward=[b"last"]),
    }
    return verdicts.get(message[:1], PASS_ON)


class WatchingTests(MemoryCase):
    """What a watcher sees."""

    def test_messages(self) -> None:
        """A watcher sees each message with its number, its verdict, and the bytes that went out on each leg."""
        world = self.memory(to_server_filter=judge)
        watcher = Watcher()
        world.repeater.watch(watcher)
        client, server = world.linked("ann")
        world.advance(3)
        client.send(b"pass", b"drop", b"send", b"answer", b"close")
        seen = watcher.of(Origin.MESSAGE)
        self.assertEqual([each.number for each in seen], [1, 2, 3, 4, 5])
        self.assertEqual([each.message for each in seen], [b"pass", b"drop", b"send", b"answer", b"close"])
        self.assertEqual([each.frame for each in seen], [frame(each.payload) for each in seen])
        self.assertEqual([each.verdict for each in seen], [judge(each.payload, None) for each in seen])
        self.assertEqual({(each.direction, each.time, each.by_filter) for each in seen}, {(TO_SERVER, 3.0, True)})
        self.assertEqual(
            [each.to_server for each in seen],
            [frame(b"pass"), b"", frame(b"one") + frame(b"two"), frame(b"answer"), frame(b"last")],
        )
        self.assertEqual([each.to_client for each in seen], [b"", b"", b"", frame(b"answer"), b""])
        self.assertTrue(server.received_bytes.endswith(b"".join(each.to_server for each in seen)))
