"""A program as users write it, with a part of each kind. It is only type-checked: see ``.ci/run types``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.defer import Deferred
from zope.interface import implementer

from twisted_repeater import (
    DROP,
    PASS_ON,
    ConnectingError,
    Dialect,
    Direction,
    Filter,
    Hello,
    ICodec,
    IFilter,
    IFilterPair,
    IFraming,
    IHandshake,
    IIdentityObserver,
    IObserver,
    IStatefulFraming,
    Limits,
    Link,
    LinkError,
    MessageType,
    OnFilterError,
    Repeater,
    SameName,
    SendBack,
    Side,
    Verdict,
    chain,
)
from twisted_repeater.codecs import fixed, tagged, text
from twisted_repeater.codecs.bin_prot import BinProtCodec, bin_float, bin_int, bin_prot_codec, record
from twisted_repeater.dialects import (
    Attempt,
    Frame,
    Opening,
    Peer,
    Versions,
    async_extra,
    by_address,
    first_message,
    hellos,
    int32,
    server_first,
)
from twisted_repeater.filters import Allow, ByType, Count, Deny, FilterPair, Log, Shadow, in_order, wants
from twisted_repeater.framings import DelimitedFraming, Framing, Framings, Int32Framing, LengthFraming, VarintFraming
from twisted_repeater.observers.metrics import MetricsObserver
from twisted_repeater.selectors import first_byte
from twisted_repeater.testing import (
    FilterHarness,
    MemoryRepeater,
    OpeningHarness,
    SocketRepeater,
    Step,
    check_codec,
    check_framing,
)


@dataclass
class Order:
    id: int
    price: float


class State:
    orders = 0


# -- filters ----------------------------------------------------------------------------------------------------


def check(message: bytes, link: Link) -> Verdict:
    name: str = link.client_name
    link.send_to_client(b"")
    return PASS_ON if name else DROP


async def check_later(message: bytes, link: Link) -> Verdict:
    await Deferred[None]()
    return SendBack([b"no"])


@implementer(IFilter)
class Check:
    def filter(self, message: Order, link: Link) -> Verdict:
        return PASS_ON


class Undeclared:
    def filter(self, message: Order, link: Link) -> Deferred[Verdict]:
        return Deferred()


class Risk(ByType):
    def on_order(self, order: Order, link: Link) -> Verdict:
        return PASS_ON

    async def on_text(self, words: str, link: Link) -> Verdict:
        return PASS_ON


@wants(first_byte(b"OC"))
def some(message: bytes, link: Link) -> Verdict:
    return PASS_ON


@wants(Order)
async def orders(message: Order, link: Link) -> Verdict:
    return PASS_ON


class Talk:
    """The filters of one link."""

    def to_server(self, message: bytes, link: Link) -> Verdict:
        return PASS_ON

    async def to_client(self, message: bytes, link: Link) -> Verdict:
        return PASS_ON

    def migrate(self, old: Talk) -> None: ...


class Talks:
    def for_link(self, link: Link) -> tuple[Filter, Filter]:
        talk = Talk()
        return talk.to_server, talk.to_client


@implementer(IFilterPair)
class OneWay:
    def for_link(self, link: Link) -> tuple[Filter | None, None]:
        return Check(), None


PAIRS = chain(Talks(), OneWay(), FilterPair(to_client=check_later))
IN_ORDER = in_order(check, asks=lambda message: message != b"", ends_answer=lambda message: True)

FILTERS: list[Filter] = [check, check_later, Check(), Undeclared(), Risk(), some, orders, Log(), Deny(Order)]


# -- a dialect --------------------------------------------------------------------------------------------------


@implementer(ICodec)
class Codec:
    def decode(self, payload: bytes) -> Order:
        return Order(len(payload), 0.0)

    def encode(self, message: Order) -> bytes:
        return bytes(message.id)


@implementer(IFraming)
class OwnFraming:
    def __init__(self, max_frame: int) -> None:
        self.max_frame = max_frame
        self.body = 0

    def find(self, data: bytes, start: int, end: int) -> int:
        return end

    def encode(self, payload: bytes) -> bytes:
        return payload

    def replace(self, frame: bytes, payload: bytes) -> bytes:
        return payload


@implementer(IStatefulFraming)
class StatefulFraming(OwnFraming):
    """Each stream begins with a frame of another size."""

    def __init__(self, max_frame: int) -> None:
        super().__init__(max_frame)
        self.first = True
        self.least: int = 0
        self.tail: int = 0
        self.seen: int = 0

    def more(self, data: bytes, start: int, end: int) -> int:
        return end

    def taken(self, data: bytes, start: int, stop: int) -> None:
        self.first = False


class DerivedFraming(Framing):
    def find(self, data: bytes, start: int, end: int) -> int:
        return end

    def encode(self, payload: bytes) -> bytes:
        return payload


@implementer(IHandshake)
class OwnHandshake:
    def __init__(self, max_hello: int) -> None:
        self.framing = OwnFraming(max_hello)

    def decode(self, payload: bytes) -> Hello:
        return Hello(payload.decode())

    def encode(self, hello: Hello) -> bytes:
        return self.framing.encode(hello.name.encode())


async def hello_of(peer: Peer) -> str:
    frame: Frame = await peer.read(Int32Framing(100))
    await peer.start_tls(object(), unread="feed")
    name: bytes = frame.payload + await peer.peek_bytes(1)
    return name.decode()


async def opening(attempt: Attempt) -> None:
    await attempt.admit(await hello_of(attempt.client), limit=attempt.limits.max_hello)
    await attempt.dial()
    attempt.server.send(attempt.server_name.encode())
    versions = Versions(sends=1, receives=2), Versions(2, 1)
    await attempt.connect(client="ann", server=attempt.server.certificate, versions=versions)


async def name_of(frame: Frame) -> str | None:
    return frame.data.decode() or None


def refusal(error: ConnectingError, attempt: Attempt) -> bytes | None:
    name: object = attempt.details.get("name")
    return f"{name}: {error}".encode() if attempt.client.alpn is None else None


def farewell(reason: BaseException | None, link: Link) -> bytes | None:
    return None if reason is None else link.client_name.encode()


def redact(message: Order, direction: Direction) -> Order:
    return Order(0, message.price) if direction is Direction.TO_SERVER else message


OPENINGS: list[Opening] = [
    by_address,
    server_first,
    opening,
    first_message(name_of),
    first_message(lambda frame: frame.payload.decode()),
]


def make_framing(limits: Limits) -> OwnFraming:
    return OwnFraming(limits.max_frame)


own = Dialect(
    name="own",
    framing=lambda limits: OwnFraming(limits.max_frame),
    opening=hellos(lambda limits: OwnHandshake(limits.max_hello)),
    to_server=MessageType.of(Codec()),
    to_client=MessageType({1: Codec()}),
)
talkative = Dialect(
    name="talkative",
    framing=lambda limits: Framings(to_server=StatefulFraming(limits.max_frame), to_client=DerivedFraming(9)),
    opening=opening,
    refusal=refusal,
    farewell=farewell,
    same_name=SameName.REPLACE,
    redact=redact,
    max_frame=1000,
    to_server=Codec(),
)
lines = Dialect(name="lines", framing=lambda limits: DelimitedFraming(limits.max_frame, b"\r\n"))
packets = lines.changed(framing=lambda limits: VarintFraming(limits.max_frame, at=1, whole=True))
records = lines.changed(framing=lambda limits: LengthFraming(limits.max_frame, size=2, order="little"))
derived = Dialect(name="derived", framing=lambda limits: DerivedFraming(limits.max_frame), to_server=Codec())
ready_made = Dialect(name="ready made", framing=lambda limits: Int32Framing(limits.max_frame), opening=server_first)
of_fields = int32(to_server=tagged({b"O": fixed(Order, id="Q", price="d"), b"T": text()}), to_client=Codec())
binary: BinProtCodec[Order] = bin_prot_codec(record(Order, id=bin_int, price=bin_float))
of_ocaml = async_extra(to_server=binary)


# -- a repeater -------------------------------------------------------------------------------------------------


@implementer(IObserver)
class Observer:
    def link_made(self, link: Link) -> None: ...

    def link_refused(self, client_name: str | None, error: ConnectingError) -> None: ...

    def link_ended(self, link: Link, reason: BaseException | None) -> None: ...

    def link_error(self, link: Link, side: Side, error: Exception) -> None: ...

    def relayed(self, link: Link, direction: Direction, messages: int, size: int) -> None: ...


@implementer(IIdentityObserver)
class IdentityObserver(Observer):
    def link_identified(self, link: Link, old_name: str) -> None: ...


def on_connect(link: Link) -> State:
    return State()


def on_error(link: Link, side: Side, error: LinkError) -> None:
    link.close(error)


async def is_allowed(name: str) -> bool:
    return True


async def run() -> None:
    repeater = await Repeater.create(
        own,
        repeater_name="repeater",
        server_name="server",
        is_client_allowed=lambda name: True,
        listen_port=0,
        server="tcp:example.org:9001",
        observers=[Observer(), IdentityObserver(), MetricsObserver()],
        limits=Limits(max_frame=1000),
    )
    repeater.start(to_server_filter=check, to_client_filter=check_later)
    other = await Repeater.create(
        int32(),
        repeater_name="repeater",
        server_name="server",
        is_client_allowed=is_allowed,
        server_ip="127.0.0.1",
        server_port=9001,
    )
    other.start(
        to_server_filter=chain(*FILTERS, Count()),
        to_client_filter=Shadow(Check(), Allow(Order, otherwise=check)),
        filters=chain(PAIRS, in_order(PAIRS, asks=len, ends_answer=bool)),
        on_connect=on_connect,
        on_error=on_error,
        on_filter_error=OnFilterError.PASS_ON,
    )
    other.replace_filters(filters=IN_ORDER, to_client_filter=None)
    link = repeater.link("ann")
    if link is not None:
        state: State = link.state
        state.orders += link.id
        await link.identify("ann of accounts")
        link.finish()
    await repeater.shutdown()


# -- its tests --------------------------------------------------------------------------------------------------


def harness() -> None:
    harness = FilterHarness(check, Undeclared(), dialect=own, state=State(), limits=Limits())
    harness.client_sends(b"x").expect(to_server=[b"x"], verdicts=[PASS_ON])
    FilterHarness(filters=Talks()).client_sends(b"x").expect(to_server=[b"x"])
    verdict: Verdict = harness.server_sends(b"y").verdict
    assert verdict == DROP
    harness.link.send_to_client(b"")


def memory() -> None:
    running = MemoryRepeater(to_server_filter=check, observers=[Observer()])
    running.server.answer = lambda message, peer: [message]
    client = running.connect("ann", send_version=2)
    client.send(b"x")
    running.server["ann"].expect(b"x")


def played() -> None:
    harness = OpeningHarness(talkative)
    harness.client_connects().expect(Step.BEGUN)
    harness.client_sends(b"ann").expect(Step.REFUSED, to_client=b"no", error=ConnectingError)


async def sockets() -> None:
    running = await SocketRepeater.start(to_server_filter=check)
    client = await running.connect()
    await client.will_get(b"x")
    await running.close()


def conformance() -> None:
    check_framing(make_framing)
    check_framing(OwnFraming(1))
    check_framing(DerivedFraming(1))
    check_framing(lambda limits: Int32Framing(limits.max_frame))
    check_codec(Codec(), [Order(1, 2.0)], grow=lambda size: Order(size, 2.0))


def fixtures(filter_harness: Callable[..., FilterHarness], memory_repeater: Callable[..., MemoryRepeater]) -> None:
    filter_harness(check).client_sends(b"x").expect(to_server=[b"x"])
    memory_repeater(own, to_server_filter=Check()).connect("ann").expect()
