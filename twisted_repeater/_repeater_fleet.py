"""The calls of a repeater across the nodes of its fleet, and what it does when another node calls."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from itertools import islice
from math import inf
from typing import Any, Protocol, TypedDict, Unpack

from twisted.internet.defer import Deferred, fail

from ._link.encoder import marshaling_error_of
from ._link.factory import Links
from ._link.link import Link
from .dialects.message_types import MessageType
from .errors import MarshalingError, NameLost
from .fleet import LONGEST, Call, Entry, Fleet, FleetAnswer, NodeInfo
from .model import SameName, Side

__all__ = ["CallOptions", "RepeaterEntrant", "RepeaterFleet"]

USUAL = 5.0
"""For how many seconds a call waits for answers, by default."""


class CallOptions(TypedDict, total=False):
    """How a call is made; see `RepeaterFleet`."""

    timeout: float
    nodes: Collection[str] | None
    call_id: str | None


class RepeaterFleet:
    """The calls of `Repeater` across the nodes of a fleet: done by this node's repeater, and by those of its name on
    the others. `Repeater.fleet` is one. In a process that belongs to no fleet, this node is the only one.

    Each call returns a Deferred of a `FleetAnswer`, which says what each node did, and takes these arguments:

    * ``timeout``: for how many seconds to wait for answers: 5 by default, at most 60.
    * ``nodes``: the names of the nodes that are to do it; ``None`` for all.
    * ``call_id``: the ``id`` of an earlier answer, to repeat that call. Nodes that have done it do not do it again.

    This node begins before the call returns. The others begin the calls of one node in the order in which it made
    them. The Deferred fails with ``ValueError`` if an argument is wrong.
    """

    def __init__(self, fleet: Fleet, entry: Entry, to_client: MessageType, to_server: MessageType) -> None:
        self._fleet = fleet
        self._entry = entry
        self._to_client = to_client
        self._to_server = to_server

    @property
    def node(self) -> str:
        """The name of this node."""
        return self._fleet.node

    @property
    def problem(self) -> str | None:
        """Why this node is no member of its fleet at the moment; ``None`` if it is, or belongs to none."""
        return self._fleet.problem

    def nodes(self) -> Deferred[list[NodeInfo]]:
        """Return the nodes of the fleet. Fails if the fleet cannot be asked: on Redis with `EngineError`."""
        return self._fleet.nodes()

    def find(self, client_name: str) -> Deferred[list[str]]:
        """Return the names of the nodes that have a client of this name. Fails as `nodes` does."""
        return self._entry.holders(client_name)

    def send_to_all_clients(self, message: object, **how: Unpack[CallOptions]) -> Deferred[FleetAnswer]:
        """Send a message to every client; each node encodes it once for each version in use.

        The value of each answer is the number of clients. A node answers when the message is handed to the connections
        of all of them. Fails with `MarshalingError` if the message cannot be encoded.
        """
        return self._send(Side.CLIENT, message, {}, how)

    def send_from_all_clients(self, message: object, **how: Unpack[CallOptions]) -> Deferred[FleetAnswer]:
        """Send a message to the server on every link, in the same way. The value is the number of links."""
        return self._send(Side.SERVER, message, {}, how)

    def send_to_server_from(
        self, client_name: str, message: object, **how: Unpack[CallOptions]
    ) -> Deferred[FleetAnswer]:
        """Send a message to the server on every link of that client's name. The value is the number of links."""
        return self._send(Side.SERVER, message, {"client": client_name}, how)

    def send_to_client(self, client_name: str, message: object, **how: Unpack[CallOptions]) -> Deferred[FleetAnswer]:
        """Send a message to every client of that name. The value is the number of links."""
        return self._send(Side.CLIENT, message, {"client": client_name}, how)

    def active_clients(self, *, most: int = 10_000, **how: Unpack[CallOptions]) -> Deferred[FleetAnswer]:
        """Ask for the names of the clients whose links have both sides up.

        Args:
            most: how many names each node returns at most.
            how: see above.

        Returns:
            A Deferred of the answer; each value is a list of names, each once.
        """
        return self._call("clients", {"most": most}, how)

    def close_connection_from_client(self, client_name: str, **how: Unpack[CallOptions]) -> Deferred[FleetAnswer]:
        """Close both sides of every link of that client's name. The value is the number of links."""
        return self._call("close", {"client": client_name}, how)

    def drop_new_clients(self, **how: Unpack[CallOptions]) -> Deferred[FleetAnswer]:
        """Refuse newcomers from now on; links stay."""
        return self._call("drop", {}, how)

    def accept_new_clients(self, **how: Unpack[CallOptions]) -> Deferred[FleetAnswer]:
        """Accept newcomers again from now on."""
        return self._call("accept", {}, how)

    def drain(self, over: float = 30.0, **how: Unpack[CallOptions]) -> Deferred[FleetAnswer]:
        """End the links of ``nodes`` in good order, spread over some seconds; see `Repeater.drain`.

        A node answers when it has begun.
        """
        if not 0 <= over < inf:
            return fail(ValueError(f"over must be at least 0, in seconds, not {over!r}"))
        return self._call("drain", {"over": over}, how)

    def shutdown(self, **how: Unpack[CallOptions]) -> Deferred[FleetAnswer]:
        """Stop listening and close every link. A node answers when every connection is gone."""
        return self._call("shutdown", {}, how)

    def abort(self, **how: Unpack[CallOptions]) -> Deferred[FleetAnswer]:
        """Stop listening and abort every connection at once."""
        return self._call("abort", {}, how)

    # -- how -------------------------------------------------------------------------------------------------

    def _send(
        self, side: Side, message: object, arguments: Mapping[str, Any], how: CallOptions
    ) -> Deferred[FleetAnswer]:
        kind = self._to_client if side is Side.CLIENT else self._to_server
        try:
            payload = payload_of(kind, message)
        except MarshalingError as error:
            return fail(error)
        return self._call("send", {"to": side.value, **arguments}, how, payload)

    def _call(
        self, what: str, arguments: Mapping[str, Any], how: CallOptions, payload: bytes = b""
    ) -> Deferred[FleetAnswer]:
        timeout, nodes = how.get("timeout", USUAL), how.get("nodes")
        if not 0 < timeout <= LONGEST:
            return fail(ValueError(f"timeout must be above 0 and at most {LONGEST:g} seconds, not {timeout!r}"))
        if isinstance(nodes, str):
            return fail(TypeError(f"nodes must be several names, such as [{nodes!r}], not {nodes!r}"))
        call = Call(what, arguments, payload)
        return self._entry.call(call, timeout=timeout, nodes=nodes, call_id=how.get("call_id"))


class FleetRepeater(Protocol):
    """What a fleet needs of a repeater; see `Repeater`."""

    def links(self, client_name: str | None = None, /) -> list[Link]: ...

    def active_clients(self) -> list[str]: ...

    def close_connection_from_client(self, client_name: str, /) -> None: ...

    @property
    def drops_new_clients(self) -> bool: ...

    def drop_new_clients(self) -> None: ...

    def accept_new_clients(self) -> None: ...

    @property
    def draining(self) -> bool: ...

    def drain(self, over: float, /) -> Deferred[None]: ...

    def shutdown(self) -> Deferred[None]: ...

    def abort(self) -> Deferred[None]: ...


class RepeaterEntrant:
    """A repeater as its fleet sees it: an `Entrant`."""

    def __init__(self, repeater: FleetRepeater, links: Links) -> None:
        self._repeater = repeater
        self._links = links
        self._names = links.admission.names
        self._calls: dict[str, Callable[[Call], Any]] = {
            "send": self._send,
            "clients": lambda call: list(islice(repeater.active_clients(), call.arguments["most"])),
            "close": self._close,
            "drop": lambda call: repeater.drop_new_clients(),
            "accept": lambda call: repeater.accept_new_clients(),
            "drain": self._drain,
            "shutdown": lambda call: repeater.shutdown(),
            "abort": lambda call: repeater.abort(),
        }

    @property
    def same_name(self) -> SameName:
        """See `Entrant`."""
        return self._links.settings.dialect.same_name

    def info(self) -> Mapping[str, Any]:
        """See `Entrant`."""
        repeater = self._repeater
        draining = repeater.draining
        return {"links": len(self._links), "drops_new_clients": repeater.drops_new_clients, "draining": draining}

    def has_name(self, name: str) -> bool:
        """See `Entrant`."""
        return bool(self._names.of(name))

    async def carry_out(self, call: Call) -> Any:
        """See `Entrant`.

        Raises:
            ValueError: there is no such call.
        """
        if call.what not in self._calls:
            raise ValueError(f"this version of twisted_repeater knows no call {call.what!r} of a fleet")
        result = self._calls[call.what](call)
        return await result if isinstance(result, Deferred) else result

    def _send(self, call: Call) -> Any:
        side, client = Side(call.arguments["to"]), call.arguments.get("client")
        dialect = self._links.settings.dialect
        message = message_of(dialect.to_client if side is Side.CLIENT else dialect.to_server, call.payload)
        if client is not None:
            links = self._repeater.links(client)
            for link in links:
                (link.send_to_client if side is Side.CLIENT else link.send_to_server)(message)
            return len(links)
        count = self._links.broadcast(side, message)
        return self._links.when_sent().addCallback(lambda _: count)

    def _drain(self, call: Call) -> None:
        """Begin to drain. Nobody waits for the end."""
        self._repeater.drain(call.arguments["over"])

    def _close(self, call: Call) -> int:
        name = call.arguments["client"]
        count = len(self._repeater.links(name))
        self._repeater.close_connection_from_client(name)
        return count

    # -- names -----------------------------------------------------------------------------------------------

    async def contest(self, name: str, timeout: float) -> None:
        """See `Entrant`."""
        await self._names.contest(name, timeout)

    def name_lost(self, name: str) -> None:
        """See `Entrant`."""
        self._names.lose(NameLost(f"another node of the fleet has a client {name!r}"), name)

    def lease_endangered(self) -> None:
        """See `Entrant`."""
        self._names.lose(NameLost("the fleet's engine cannot be asked, so the name may soon belong to others"))

    def lease_lost(self) -> None:
        """See `Entrant`."""
        pairs = self._names.having()
        self._names.lose(NameLost("the fleet's engine was not reached in time, so the name may belong to others"))
        for pair in pairs:
            pair.abort()


def payload_of(kind: MessageType, message: object) -> bytes:
    """Return a message as it travels between nodes: in the newest version.

    Raises:
        MarshalingError: it cannot be encoded.
    """
    try:
        encode = getattr(kind.codec(kind.test), "encode_for_node", None)  # of a codec whose links complete a message
        return bytes(memoryview((encode or kind.writer(kind.test))(message)))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a codec that calls sys.exit() has failed, no more
        raise marshaling_error_of(error) from error


def message_of(kind: MessageType, payload: bytes) -> object:
    """Return the message that another node has sent."""
    reader = getattr(kind.codec(kind.test), "decode_from_node", None) or kind.reader(kind.test)
    return payload if reader is None else reader(payload)
