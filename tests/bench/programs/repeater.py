"""The repeater, with one of several filters.

Started as ``python -m tests.bench.programs.repeater SERVER_PORT DIALECT FILTER OPTIONS``; prints its port. The options
are JSON: ``tls``, a directory with certificates; ``shared_port``, a port to share with others; ``fleet``, the address
of its engine.
"""

from __future__ import annotations

import atexit
import json
import resource
import struct
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from zope.interface import implementer

from twisted_repeater import DO_NOTHING, PASS_ON, Dialect, ICodec, IFilter, Limits, Repeater, Send, Verdict, dialects
from twisted_repeater.codecs.bin_prot import bin_int, bin_prot_codec, bin_string, record
from twisted_repeater.dialects.hellos import hellos
from twisted_repeater.dialects.int32 import JSONHandshake
from twisted_repeater.faults import Bandwidth, Latency
from twisted_repeater.filters import chain
from twisted_repeater.framings import DelimitedFraming, Framing, Int32Framing, LengthFraming, VarintFraming
from twisted_repeater.observers import LogObserver
from twisted_repeater.observers._throttle import LogThrottle
from twisted_repeater.recording import record as record_to
from twisted_repeater.selectors import bytes_at

from .serving import run_repeater, tell_port


@implementer(ICodec)
class StructCodec:
    """Decodes with `struct`: the message is a tuple of a number and a kind."""

    decode = staticmethod(struct.Struct(">2xIB").unpack_from)

    def encode(self, message: Any) -> bytes:
        """Not used here."""
        raise NotImplementedError


@implementer(ICodec)
class MsgspecCodec:
    """Decodes all of the MessagePack list with msgspec: the message is a `msgspec.Struct`."""

    def __init__(self) -> None:
        import msgspec

        fields = [("number", int), ("kind", int), ("body", bytes)]
        message = msgspec.defstruct("Message", fields, array_like=True)
        self.decode = msgspec.msgpack.Decoder(message).decode
        self.encode = msgspec.msgpack.Encoder().encode


@dataclass
class Numbered:
    """What a payload of the wire ``bin_prot`` says."""

    number: int
    kind: int
    body: bytes


def bin_prot_of_numbered() -> ICodec:
    """Make the codec of it."""
    return bin_prot_codec(record(Numbered, number=bin_int, kind=bin_int, body=bin_string))


def pass_on(message: Any, link: Any) -> Verdict:
    """Pass every message."""
    return PASS_ON


def by_index(message: tuple[int, int], link: Any) -> Verdict:
    """Look at a decoded tuple."""
    return PASS_ON if message[1] == 1 else DO_NOTHING


def by_attribute(message: Any, link: Any) -> Verdict:
    """Look at a decoded object."""
    return PASS_ON if message.kind == 1 else DO_NOTHING


def replace(message: bytes, link: Any) -> Verdict:
    """Send another message, of the same bytes, so that the receiver's check holds."""
    return Send(message)


async def pass_on_at_once(message: Any, link: Any) -> Verdict:
    """Pass every message, as a coroutine that waits for nothing."""
    return PASS_ON


@implementer(IFilter)
class Selected:
    """Is shown only the messages whose kind, the byte at offset 6, is 2."""

    selector = bytes_at(6, [b"\x02"])
    filter = staticmethod(pass_on)


FILTERS: dict[str, Any] = {
    "none": None,
    "pass": pass_on,
    "struct": by_index,
    "msgspec": by_attribute,
    "replace": replace,
    "selector": Selected(),
    "chain": chain(pass_on, pass_on, pass_on),
    "coroutine": pass_on_at_once,
    "bin-prot": by_attribute,
}

CODECS: dict[str, Callable[[], Any]] = {
    "struct": StructCodec,
    "msgspec": MsgspecCodec,
    "bin-prot": bin_prot_of_numbered,
}

BOTH_WAYS = ("bin-prot",)
"""The filters that messages to clients get, too; otherwise these are passed on."""

FRAMINGS: dict[str, Callable[[int], Framing]] = {
    "length": partial(LengthFraming, size=2, order="little"),
    "varint": VarintFraming,
    "lines": partial(DelimitedFraming, end=b"\r\n"),
}
"""The framings of dialects that are ``int32`` but for that."""


def dialect_of(name: str, codec: Any) -> Dialect:
    """Make a dialect."""
    if name == "bin_prot":
        return dialects.async_extra(to_server=codec, to_client=codec)
    if name == "plain":
        return Dialect(name=name, framing=lambda limits: Int32Framing(limits.max_frame), to_server=codec)
    if name not in FRAMINGS:
        made: Dialect = getattr(dialects, name)(to_server=codec)
        return made
    return Dialect(
        name=name,
        framing=lambda limits: FRAMINGS[name](limits.max_frame),
        opening=hellos(lambda limits: JSONHandshake(limits.max_hello)),
        to_server=codec,
    )


def record_traffic(repeater: Repeater) -> None:
    """Record into a file of this process' own. A disk that is too slow makes the links wait: all is recorded."""
    directory = tempfile.TemporaryDirectory(prefix="bench-")
    atexit.register(directory.cleanup)
    record_to(repeater, Path(directory.name, "traffic.db"), max_size=256 * 1024 * 1024, keep=1, when_slow="wait")


class LogEachLink(LogObserver):
    """The observer of the service. That leaves out lines if hundreds of links are made in a second; this does not."""

    def __init__(self) -> None:
        super().__init__(reactor)
        self._links = LogThrottle(reactor, burst=10**9)


EQUIPPED: dict[str, Callable[[Repeater], object]] = {
    "watched": lambda repeater: repeater.watch(lambda message: None),
    "recorded": record_traffic,
    "latency": lambda repeater: repeater.faults.set("rare", Latency(1e-6, probability=0.001)),
    "bandwidth": lambda repeater: repeater.faults.set("slow", Bandwidth(rate=1e12)),
}
"""What is done to a repeater without a filter, for the loads that show what it costs."""


async def placed(server_port: int, tls: str | None, shared_port: int | None, fleet: str | None) -> dict[str, Any]:
    """Say where the repeater listens, where its server is, and which fleet it belongs to.

    Args:
        server_port: the port of the server.
        tls: a directory with certificates, for TLS on both sides; ``None`` for none.
        shared_port: the port that other processes have, too; ``None`` for a free one.
        fleet: the address of the engine of a fleet; ``None`` for no fleet.
    """
    port = f"{shared_port or 0}:interface=127.0.0.1"
    listen, server = f"tcp:{port}", f"tcp:127.0.0.1:{server_port}"
    if tls:
        listen = f"ssl:{port}:privateKey={tls}/localhost.key:certKey={tls}/localhost.pem"
        server = f"tls:localhost:{server_port}:trustRoots={tls}/authority.pem"
    arguments = {"listen": listen, "server": server, "share_port": shared_port is not None}
    if fleet:
        from twisted_repeater.redis_fleet import RedisFleet  # which needs the extra

        arguments["fleet"] = member = RedisFleet(fleet, node="bench")
        member.start()
        await member.when_member()
    return arguments


async def run(server_port: int, dialect: str, chosen: str, options: str) -> None:
    """Start the repeater that was asked for."""
    codec = CODECS[chosen]() if chosen in CODECS else None
    repeater = await Repeater.create(
        dialect_of(dialect, codec),
        repeater_name="repeater",
        server_name="server",
        is_client_allowed=bool,
        limits=Limits(max_clients=(resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 600) // 2),
        observers=[LogEachLink()] if chosen == "logged" else (),
        **await placed(server_port, **json.loads(options)),
    )

    def broadcast(message: bytes, link: Any) -> Verdict:
        repeater.send_to_all_clients(message)
        return DO_NOTHING

    asked = broadcast if chosen == "broadcast" else FILTERS.get(chosen)
    repeater.start(to_server_filter=asked, to_client_filter=asked if chosen in BOTH_WAYS else asked and pass_on)
    if chosen in EQUIPPED:
        EQUIPPED[chosen](repeater)
    tell_port(repeater.port)


if __name__ == "__main__":
    run_repeater(run)
