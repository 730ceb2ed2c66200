"""The interfaces of the parts that users provide: filters, codecs, framings, handshakes and observers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IAddress

    from ._types import Filter, Message
    from .errors import ConnectingError
    from .link import Link
    from .model import Direction, Hello, Side
    from .selectors import Selector
    from .verdicts import Answer, Verdict

__all__ = [
    "ICodec",
    "IFilter",
    "IFilterPair",
    "IFraming",
    "IHandshake",
    "IIdentityObserver",
    "ILink",
    "IMigrating",
    "IObserver",
    "IPatientFraming",
    "IResumingFraming",
    "ISelective",
    "ISelectiveByCodec",
    "ISessionFilter",
    "IStatefulFraming",
    "ITailedFraming",
    "ITypedCodec",
]


class IFilter(Interface):
    """Decides about the messages of one direction.

    An object with a method ``filter`` can be a filter, also if it does not declare that it provides this interface,
    and so can a plain function. Type checkers without a plugin for zope.interface understand both::

        def check(order: Order, link: Link) -> Verdict: ...

        @implementer(IFilter)
        class Check:
            def filter(self, order: Order, link: Link) -> Verdict: ...

    A filter may also provide `ISelective` or `ISelectiveByCodec`, to see some of the messages only, and `IMigrating`,
    to take over from the filter before it. These too need not be declared.
    """

    def filter(message: Message, link: Link) -> Answer:
        """Return the verdict on a message.

        Args:
            message: the message that the codec decoded; without a codec the payload, as ``bytes``.
            link: the link that the message travels on.

        Returns:
            A verdict, or a Deferred or a coroutine of one. Until that fires, later messages of this direction wait;
            the other direction goes on.
        """


class IFilterPair(Interface):
    """Makes the filters of both directions for each link, so that they can share a state.

    An object with a method ``for_link`` can be a pair, also if it does not declare that it provides this interface.
    """

    def for_link(link: Link) -> tuple[Filter | None, Filter | None]:
        """Return the filters of a link: to the server, and to the client. ``None`` lets all messages pass.

        It is called after ``on_connect``, before the first message. If it raises, the client is refused.
        """


class ISelective(Interface):
    """A filter that wants to see only the messages with certain bytes."""

    selector: Selector | None = Attribute("chooses the payloads that the filter sees; None chooses all")


class ISelectiveByCodec(Interface):
    """A filter that wants to see only some messages, and needs the codec to choose them by their bytes."""

    def selector_for(codec: ICodec | None) -> Selector | None:
        """Return a selector of the messages that the filter wants to see.

        It counts in place of the attribute ``selector`` of `ISelective`.

        Args:
            codec: the codec of the direction; ``None`` if messages are converted between versions after decoding.

        Returns:
            A selector of payloads; ``None`` to see all messages.

        Raises:
            TypeError: the filter cannot work with the messages of this codec.
        """


class IMigrating(Interface):
    """A filter that takes over the state of the filter before it, when filters are loaded again."""

    def migrate(old: Any) -> None:
        """Take over from another filter, between two messages. It must be done when it returns.

        Args:
            old: the filter that was there before, of whatever class.
        """


class ISessionFilter(Interface):
    """A filter of a dialect's own pair that stands around the application's filters of its direction.

    Some protocols number their messages. A filter that drops, adds or alters one then changes what all later messages
    must say. Such a dialect keeps that right here: it sees each message before the application's filters, and each of
    their verdicts before it is carried out. See `Dialect.filters`. It need not be declared.

    What it knows belongs to the link, and stays when the application's filters are replaced.
    """

    def around(inner: Filter | None) -> Filter:
        """Return the filter of this direction: it asks the application's filters.

        Called when the link is made, and again when the application's filters are replaced.

        Args:
            inner: the application's filters, as one; ``None`` if there are none.
        """

    def failed(verdict: Verdict, link: Link) -> Verdict:
        """Return the verdict to carry out where an application's filter has failed, or has not answered in time.

        Args:
            verdict: what ``on_filter_error`` says about the message: `PASS_ON`, `DO_NOTHING` or a `Close`.
            link: the link.
        """

    def sent(message: Message, link: Link) -> Iterable[object]:
        """Return the messages to send in place of one that the application sends, by `Link.send_to_server` or the like.

        Raises:
            MarshalingError: it cannot be sent. Other exceptions are treated as one.
        """

    def ended(link: Link) -> None:
        """The link is over."""


class ICodec(Interface):
    """Turns payloads into messages and back."""

    def decode(payload: bytes) -> Message:
        """Return the message of a whole payload.

        Raises:
            ParseError: the payload is not a message, or bytes are left over. Other exceptions are treated as one.
        """

    def encode(message: Message) -> bytes:
        """Return the payload of a message.

        Raises:
            MarshalingError: the message cannot be encoded. Other exceptions are treated as one.
        """


class ITypedCodec(ICodec):
    """A codec that knows the classes of its messages, and may recognize them by their bytes."""

    message_types: tuple[type, ...] = Attribute("the classes that a decoded message may be of; () if not known")

    def selector_for(types: tuple[type, ...]) -> Selector | None:
        """Return a selector for the messages of some classes.

        Args:
            types: classes of messages.

        Returns:
            A selector of every payload that decodes to a message of these classes, and of as few others as can be
            recognized without decoding; ``None`` if none can.
        """


class IFraming(Interface):
    """Cuts a stream of bytes into frames, by offset, without copying any; sans-IO.

    A framing serves one direction of one link. It may keep state that concerns this stream, if it moves that state only
    in `taken`. A framing without state may be one object for all links.

    A framing may also provide `IPatientFraming` or `IResumingFraming`, so that long frames are cheap,
    `IStatefulFraming`, and `ITailedFraming`. These need not be declared.
    """

    body: int = Attribute("the offset in ``data`` at which the payload of the frame that was found last begins")

    def find(data: bytes, start: int, end: int) -> int:
        """Return the offset at which the frame that begins at ``start`` ends.

        A frame has at least one byte. As long as the answer is 0, the bytes that have come are joined with those that
        come next, and the framing is asked again. It may be asked again about the same frame at any time, and must
        answer the same.

        A framing whose frames do not begin with their size must itself limit how many bytes it waits for. So that a
        frame costs time in proportion to its size, however it is cut, it provides `IPatientFraming` or
        `IResumingFraming`.

        Args:
            data: bytes of the stream.
            start: the offset at which the frame begins.
            end: the offset at which the bytes that have come end. It may be ``start``, if none have.

        Returns:
            An offset into ``data``; ``body`` is set too. It is above ``end`` if the header is complete and the frame is
            not. 0 if more bytes are needed.

        Raises:
            FramingError: the header is invalid, or announces more bytes than the limit.
        """

    def encode(payload: bytes) -> bytes:
        """Return a frame with a payload.

        Raises:
            MarshalingError: the payload is too long, or cannot be framed.
        """

    def replace(frame: bytes, payload: bytes) -> bytes:
        """Return a frame with ``payload`` that replaces ``frame``. Keep all of its header but the lengths."""


class ITailedFraming(IFraming):
    """A framing whose frames go on after their payload, for example with a mark that ends them."""

    tail: int = Attribute(
        "how many bytes at the end of the frame that was found last are not of its payload; set as ``body`` is"
    )


class IPatientFraming(IFraming):
    """A framing that cannot tell the size of a frame early, but the least number of bytes that it needs."""

    least: int = Attribute(
        "set when `find` or `more` returns 0: how many bytes of the frame, counted from its beginning, are needed at "
        "least before it is worth asking again; 0 if that is not known. No frame may have fewer bytes than that: until "
        "they have come, the framing is not asked again, and the frame waits"
    )


class IResumingFraming(IFraming):
    """A framing that goes on where it stopped in a frame whose end has not come."""

    seen: int = Attribute(
        "set when `find` or `more` returns 0: the offset in ``data`` up to which the bytes need not be shown again"
    )

    def more(data: bytes, start: int, end: int) -> int:
        """Go on with the frame about which `find` or `more` returned 0.

        Args:
            data: the bytes of the frame from ``seen`` on, and those that have come since.
            start: the offset of the first byte that was not seen.
            end: the offset at which the bytes that have come end.

        Returns:
            As `IFraming.find`. ``body`` is then counted from the beginning of the frame, not of ``data``.

        Raises:
            FramingError: the frame is invalid, or longer than the limit.
        """


class IStatefulFraming(IFraming):
    """A framing whose frames depend on those before them."""

    def taken(data: bytes, start: int, stop: int) -> None:
        """A frame is complete, and the next one follows. Called once for each frame, in order.

        Args:
            data: bytes of the stream.
            start: the offset at which the frame begins.
            stop: the offset at which it ends.
        """


class IHandshake(Interface):
    """The hello of a dialect, the first frame each way; sans-IO."""

    framing: IFraming = Attribute("the framing of hellos, with a limit of its own")

    def decode(payload: bytes) -> Hello:
        """Return the hello in a payload.

        Raises:
            InvalidHello: the payload is not a hello; the message says what a hello must be.
        """

    def encode(hello: Hello) -> bytes:
        """Return a hello as a whole frame.

        Raises:
            InvalidHello: the dialect cannot write this hello, for example because a name is too long.
        """


class ILink(Interface):
    """One client's pair of connections. `Link` provides it, with a full description of each name."""

    id: int = Attribute("a number that no other link of the repeater has")
    state: Any = Attribute("the object that ``on_connect`` returned")
    client_name: str = Attribute("the name of the client")
    server_name: str = Attribute("the name of the server")
    client_hello: Any = Attribute("the client's `Hello`, or the object that the opening passed in its place")
    server_hello: Any = Attribute("the server's `Hello`, or the object that the opening passed in its place")
    details: Mapping[str, object] = Attribute("facts about the client that the opening gave to `Attempt.admit`")
    client_certificate: Any = Attribute("the client's TLS certificate; None without one")
    client_address: IAddress = Attribute("the address that the client connected from")
    server_address: IAddress = Attribute("the address of the server")
    stopped: frozenset[Direction] = Attribute("the directions in which a filter's failure has ended receiving")

    def received(direction: Direction) -> tuple[int, int]:
        """Return how many messages of a direction were received so far, and how many bytes with their headers."""

    def send_to_client(message: object) -> None:
        """Send a message of the application's own to the client. It goes through no filter."""

    def send_to_server(message: object) -> None:
        """Send a message of the application's own to the server. It goes through no filter."""

    def identify(name: str) -> Deferred[None]:
        """Give the link the name that its client has said only now."""

    held: bool = Attribute("whether nothing is read from the client, because of `hold`")

    def hold() -> None:
        """Read nothing more from the client until `resume` is called."""

    def resume() -> None:
        """Read from the client again."""

    def finish() -> None:
        """Let the link end without losing a reply."""

    def close(reason: BaseException | None = None) -> None:
        """Close both sides, after all received messages are filtered and all waiting bytes are sent."""


class IObserver(Interface):
    """Is told what happens, for logs and metrics. An exception that it raises is logged and changes nothing."""

    def link_made(link: Link) -> None:
        """A client is linked."""

    def link_refused(client_name: str | None, error: ConnectingError) -> None:
        """A client could not be linked. ``client_name`` is ``None`` where the name is not known yet."""

    def link_ended(link: Link, reason: BaseException | None) -> None:
        """Both connections of a link are closed.

        Args:
            link: the link.
            reason: the error that began its end; ``None`` if the application closed it without one.
        """

    def link_error(link: Link, side: Side, error: Exception) -> None:
        """Something went wrong on a link; the arguments are those of ``on_error``."""

    def relayed(link: Link, direction: Direction, messages: int, size: int) -> None:
        """Messages were received. Called once for each read, or for each part of a read that takes long to filter.

        Args:
            link: the link.
            direction: which way the messages travel.
            messages: how many messages were received.
            size: how many bytes they have, headers included.
        """


class IIdentityObserver(IObserver):
    """An observer that is also told when a link gets another name. It need not be declared."""

    def link_identified(link: Link, old_name: str) -> None:
        """A link has got another name, ``link.client_name``."""
