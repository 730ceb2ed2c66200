"""Runs a filter on messages: one link of a repeater in memory, between a client and a server that a test scripts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from twisted.internet.task import Clock

from .._link.link import Link, pair_of
from .._repeater import Repeater
from .._types import Message
from ..dialects import Dialect, by_address, server_first
from ..errors import LinkError
from ..model import Direction
from ..verdicts import Verdict
from ._peer import Peer
from ._running import MemoryRepeater
from ._transcript import Entry, Event, Remark, Transcript, __tracebackhide__, numbered

__all__ = ["FilterHarness", "Outcome", "__tracebackhide__"]


@dataclass(frozen=True)
class Outcome:
    """The consequences of one call of a `FilterHarness`."""

    entries: Sequence[Entry]
    """What happened, in order."""
    transcript: Transcript
    """All that has happened in this harness."""
    pending: bool
    """Whether a verdict is awaited."""
    closed: bool
    """Whether the link is closed."""

    def _values(self, *events: Event) -> list[Message]:
        return [entry.value for entry in self.entries if entry.event in events]

    def _bytes(self, event: Event) -> bytes:
        return b"".join(entry.data for entry in self.entries if entry.event is event)

    @property
    def to_server(self) -> list[Message]:
        """The messages that the server got."""
        return self._values(Event.SERVER_GETS)

    @property
    def to_client(self) -> list[Message]:
        """The messages that the client got."""
        return self._values(Event.CLIENT_GETS)

    @property
    def to_server_bytes(self) -> bytes:
        """The frames that the server got."""
        return self._bytes(Event.SERVER_GETS)

    @property
    def to_client_bytes(self) -> bytes:
        """The frames that the client got."""
        return self._bytes(Event.CLIENT_GETS)

    @property
    def verdicts(self) -> list[Verdict]:
        """The verdicts of the filters, in order."""
        return [verdict for verdict in self._values(Event.TO_SERVER, Event.TO_CLIENT) if verdict is not None]

    @property
    def verdict(self) -> Verdict:
        """The only verdict of the filters."""
        verdicts = self.verdicts
        if len(verdicts) != 1:
            raise self.transcript.error(f"expected one verdict, got {len(verdicts)}")
        return verdicts[0]

    @property
    def errors(self) -> list[LinkError]:
        """The errors that ``on_error`` was called with."""
        return self._values(Event.CLIENT_ERROR, Event.SERVER_ERROR)

    def expect(
        self,
        *,
        to_server: Sequence[object] = (),
        to_client: Sequence[object] = (),
        errors: Sequence[type[BaseException]] = (),
        verdicts: Sequence[Verdict] | None = None,
        closed: bool = False,
    ) -> None:
        """Check that this happened and nothing else. Anything you do not list must not have happened.

        Args:
            to_server: the messages that the server got.
            to_client: the messages that the client got.
            errors: the classes of the errors that ``on_error`` was called with.
            verdicts: the verdicts of the filters; ``None`` accepts any.
            closed: whether the link is closed.

        Raises:
            AssertionError: something else happened. The message shows the difference and the whole transcript.
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
    """One link of a repeater in memory, with your filters on it. The repeater and the link are the real ones.

    Each call that does something returns an `Outcome`: the events since the call before.

    In a dialect without hellos, the client says what lets the opening finish. With `by_address` it need not say
    anything: `server_first` makes the link, which is the same to a filter.

    Args:
        to_server_filter: the filter for messages to the server.
        to_client_filter: the filter for messages to the client.
        filters: a pair of filters, for both directions.
        dialect: the dialect of client and server, `int32` by default.
        says: what the client sends at once: bytes as they are, anything else as a message.
        server_says: what the server sends on its connection before anything has come, in the same way.
        state: the ``state`` of the link; an ``on_connect`` among the options replaces it.
        client_name: the name in the client's hello.
        client_host: the address that the client connects from.
        client_members: members of the client's hello that differ from the usual: ``{"send_version": 2}``.
        server_members: members of the server's hello that differ from the usual.
        clock: the clock, where other parts of the test use it too.
        options: any other argument of `Repeater.create` and `Repeater.start`.
    """

    def __init__(
        self,
        to_server_filter: object = None,
        to_client_filter: object = None,
        *,
        filters: object = None,
        dialect: Dialect | None = None,
        says: Sequence[object] = (),
        server_says: Sequence[object] = (),
        state: object = None,
        client_name: str = "client",
        client_host: str = "127.0.0.1",
        client_members: Mapping[str, object] = MappingProxyType({}),
        server_members: Mapping[str, object] = MappingProxyType({}),
        clock: Clock | None = None,
        **options: Any,
    ) -> None:
        options = {"on_connect": lambda link: state} | options
        options |= {
            "to_server_filter": to_server_filter,
            "to_client_filter": to_client_filter,
            "filters": filters,
        }
        if dialect is not None and dialect.opening is by_address and not says:
            dialect = dialect.changed(opening=server_first)
        self.running: MemoryRepeater = MemoryRepeater(dialect, clock=clock, server_says=server_says, **options)
        """The repeater with its peers."""
        if server_members:
            if self.running.server.hello is None:
                raise TypeError(f"the dialect {self.running.dialect.name} has no hellos, and so no server_members")
            self.running.server.hello = replace(self.running.server.hello, **server_members)  # type: ignore[arg-type]
        self.transcript: Transcript = self.running.transcript
        """All that has happened, in order."""
        self.client: Peer = self.running.connect(client_name, host=client_host, says=says, **client_members)
        """The client, for actions that have no method here. `outcome` then returns their consequences."""
        self.link: Link = self.running.link(self.client)
        """The link, as filters get it."""
        self.server: Peer = self.running.server[self.client]
        """The server's connection to the repeater."""
        self._mark = 0
        self.opened: Outcome = self.outcome()
        """The events up to here: the opening, and the results of the first words of client and server."""

    @property
    def repeater(self) -> Repeater:
        """The repeater itself."""
        return self.running.repeater

    @property
    def clock(self) -> Clock:
        """The clock of everything in the harness."""
        return self.running.clock

    def client_sends(self, *messages: object) -> Outcome:
        """Let the client send messages in one write."""
        return self._let(self.client.send, messages, Direction.TO_SERVER)

    def server_sends(self, *messages: object) -> Outcome:
        """Let the server send messages in one write."""
        return self._let(self.server.send, messages, Direction.TO_CLIENT)

    def client_sends_payloads(self, *payloads: bytes) -> Outcome:
        """Let the client send payloads that no codec has made."""
        return self._let(self.client.send_payloads, payloads, Direction.TO_SERVER)

    def server_sends_payloads(self, *payloads: bytes) -> Outcome:
        """Let the server send payloads that no codec has made."""
        return self._let(self.server.send_payloads, payloads, Direction.TO_CLIENT)

    def _let(self, send: Callable[..., None], what: Sequence[object], direction: Direction) -> Outcome:
        """Let a peer send; record it if the repeater discards whatever comes from there."""
        stopped = any(lane.direction is direction and lane.discarding for lane in pair_of(self.link).lanes or ())
        send(*what)
        if stopped:
            towards = "the server" if direction is Direction.TO_SERVER else "the client"
            remark = Remark(f"nothing is read any more on the way to {towards}")
            self.transcript.add(Event.STOPPED, self.link.client_name, remark)
        return self.outcome()

    def advance(self, seconds: float) -> Outcome:
        """Let time pass."""
        self.running.advance(seconds)
        return self.outcome()

    def outcome(self) -> Outcome:
        """Let everything happen that needs no time; return the events since the last outcome."""
        self.running.settle()
        mark, self._mark = self._mark, len(self.transcript)
        pair = pair_of(self.link)
        pending = any(lane.awaited is not None for lane in pair.lanes or ())
        return Outcome(self.transcript.since(mark), self.transcript, pending, pair.closing)
