"""Runs a filter on messages: one link of a repeater in memory, whose two peers a test speaks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from twisted.internet.task import Clock

from .._link.link import Link, pair_of
from .._repeater import Repeater
from ..dialects import Dialect
from ..errors import LinkError
from ..model import Direction
from ..verdicts import Verdict
from ._peer import Peer
from ._running import MemoryRepeater
from ._transcript import Entry, Event, Remark, Transcript, numbered

__all__ = ["FilterHarness", "Outcome"]


@dataclass(frozen=True)
class Outcome:
    """What came of something that was done to a `FilterHarness`."""

    entries: Sequence[Entry]
    """What happened, in order."""
    transcript: Transcript
    """All that happened in this harness by then."""
    pending: bool
    """Whether a verdict is awaited."""
    closed: bool
    """Whether the link is closed."""

    def _values(self, *events: Event) -> list[Any]:
        return [entry.value for entry in self.entries if entry.event in events]

    def _bytes(self, event: Event) -> bytes:
        return b"".join(entry.data for entry in self.entries if entry.event is event)

    @property
    def to_server(self) -> list[Any]:
        """The messages that the server got."""
        return self._values(Event.SERVER_GETS)

    @property
    def to_client(self) -> list[Any]:
        """The messages that the client got."""
        return self._values(Event.CLIENT_GETS)

    @property
    def to_server_bytes(self) -> bytes:
        """Their frames."""
        return self._bytes(Event.SERVER_GETS)

    @property
    def to_client_bytes(self) -> bytes:
        """Their frames."""
        return self._bytes(Event.CLIENT_GETS)

    @property
    def verdicts(self) -> list[Verdict]:
        """What the filters answered, in order."""
        return [verdict for verdict in self._values(Event.TO_SERVER, Event.TO_CLIENT) if verdict is not None]

    @property
    def verdict(self) -> Verdict:
        """What the filter answered, which was asked once."""
        verdicts = self.verdicts
        if len(verdicts) != 1:
            raise self.transcript.error(f"one verdict was expected, there are {len(verdicts)}")
        return verdicts[0]

    @property
    def errors(self) -> list[LinkError]:
        """What ``on_error`` was called with."""
        return self._values(Event.CLIENT_ERROR, Event.SERVER_ERROR)

    def expect(
        self,
        *,
        to_server: Sequence[Any] = (),
        to_client: Sequence[Any] = (),
        errors: Sequence[type[BaseException]] = (),
        verdicts: Sequence[Verdict] | None = None,
        closed: bool = False,
    ) -> None:
        """Make sure that this came of it, and nothing else. Verdicts are not compared unless they are given.

        When it isn't so, the ``AssertionError`` shows what is different and all that happened.
        """
        self.transcript.expect("the server got", self.to_server, to_server)
        self.transcript.expect("the client got", self.to_client, to_client)
        if len(errors) != len(self.errors) or not all(map(isinstance, self.errors, errors)):
            kinds = "\n".join(f"  {kind.__name__}" for kind in errors) or "  nothing"
            raise self.transcript.error(f"the errors are:\n{numbered(self.errors)}\nexpected:\n{kinds}")
        if verdicts is not None:
            self.transcript.expect("the verdicts are", self.verdicts, verdicts)
        if closed != self.closed:
            raise self.transcript.error(f"the link is {'closed' if self.closed else 'not closed'}")


class FilterHarness:
    """One link of a repeater, in memory, with these filters.

    The lanes, the link and the repeater are the real ones. ``state`` is the state of the link; where an ``on_connect``
    is among the ``options``, which are those of `MemoryRepeater`, that makes it. ``client_members`` and
    ``server_members`` change what the two say of themselves: ``{"send_version": 2}``.

    Whatever is done gives an `Outcome`: what happened since the one before.
    """

    def __init__(
        self,
        to_server_filter: Any = None,
        to_client_filter: Any = None,
        *,
        dialect: Dialect | None = None,
        state: Any = None,
        client_name: str = "client",
        client_host: str = "127.0.0.1",
        client_members: Mapping[str, Any] = MappingProxyType({}),
        server_members: Mapping[str, Any] = MappingProxyType({}),
        clock: Clock | None = None,
        **options: Any,
    ) -> None:
        options = {"on_connect": lambda link: state} | options
        options |= {"to_server_filter": to_server_filter, "to_client_filter": to_client_filter}
        self.running = MemoryRepeater(dialect, clock=clock, **options)
        """The repeater with all around it."""
        assert self.running.server.hello is not None
        self.running.server.hello = replace(self.running.server.hello, **server_members)
        self.transcript: Transcript = self.running.transcript
        """What happened, in order."""
        self.client: Peer = self.running.connect(client_name, host=client_host, **client_members)
        """The client, for what the methods here cannot do; `outcome` gives what came of it."""
        self.link: Link = self.running.link(client_name)
        """The link, as filters see it."""
        self.server: Peer = self.running.server[client_name]
        """The server, likewise."""
        self._mark = len(self.transcript)

    @property
    def repeater(self) -> Repeater:
        """The repeater itself."""
        return self.running.repeater

    @property
    def clock(self) -> Clock:
        """The clock that everything in the harness goes by."""
        return self.running.clock

    def client_sends(self, *messages: Any) -> Outcome:
        """Let the client send messages, all in one write."""
        return self._let(self.client.send, messages, Direction.TO_SERVER)

    def server_sends(self, *messages: Any) -> Outcome:
        """Let the server send messages, all in one write."""
        return self._let(self.server.send, messages, Direction.TO_CLIENT)

    def client_sends_payloads(self, *payloads: bytes) -> Outcome:
        """Let the client send messages that no codec has made."""
        return self._let(self.client.send_payloads, payloads, Direction.TO_SERVER)

    def server_sends_payloads(self, *payloads: bytes) -> Outcome:
        """Let the server send messages that no codec has made."""
        return self._let(self.server.send_payloads, payloads, Direction.TO_CLIENT)

    def _let(self, send: Callable[..., None], what: Sequence[Any], direction: Direction) -> Outcome:
        """Let a peer send; put down if nobody will look at it."""
        stopped = any(lane.direction is direction and lane.discarding for lane in pair_of(self.link).lanes or ())
        send(*what)
        if stopped:
            towards = "the server" if direction is Direction.TO_SERVER else "the client"
            remark = Remark(f"nothing is looked at any more on the way to {towards}")
            self.transcript.add(Event.STOPPED, self.link.client_name, remark)
        return self.outcome()

    def advance(self, seconds: float) -> Outcome:
        """Let time pass."""
        self.running.advance(seconds)
        return self.outcome()

    def outcome(self) -> Outcome:
        """Let everything happen that can without time passing, and give what happened since the last outcome."""
        self.running.settle()
        mark, self._mark = self._mark, len(self.transcript)
        lanes = pair_of(self.link).lanes or ()
        pending = any(lane.awaited is not None for lane in lanes)
        return Outcome(self.transcript.since(mark), self.transcript, pending, pair_of(self.link).closing)
