"""The interfaces through which an application, a dialect and the parts of a link talk to each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from .errors import ConnectingError
    from .model import Direction, Hello, Side

__all__ = ["ICodec", "IFilter", "IFraming", "IHandshake", "ILink", "IObserver", "ITypedCodec"]


class IFilter(Interface):
    """Decides about the messages of one direction.

    Any object with such a method `filter` serves, also one that does not say that it provides this interface, and so
    does a plain function ``f(message, link)``.

    A filter that wants to see some messages only says so in one of two ways, both optional: by an attribute
    ``selector``, a `twisted_repeater.selectors.Selector`, or by a method ``selector_for(codec)`` that gives one, or
    ``None`` for all; ``codec`` is that of the direction, ``None`` if versions are converted between it and the filter.
    """

    def filter(message: Any, link: ILink) -> Any:
        """Return the verdict on a message.

        @param message: what the codec made of the payload; without a codec the payload itself, as ``bytes``.
        @param link: the link that it travels on.
        @return: a verdict of `twisted_repeater.verdicts`, or a Deferred or a coroutine of one. Until that
            fires, later messages of this direction wait; the other direction goes on.
        """


class ICodec(Interface):
    """Turns payloads into messages and back."""

    def decode(payload: bytes) -> Any:
        """Make the message of a whole payload.

        @raise ParseError: the payload is no message, or bytes are left over. Any other exception is taken as one.
        """

    def encode(message: Any) -> bytes:
        """Make the payload of a message.

        @raise MarshalingError: this cannot be encoded. Any other exception is taken as one.
        """


class ITypedCodec(ICodec):
    """A codec that knows the classes of its messages, and may tell them from the bytes."""

    message_types = Attribute("tuple of classes: those a decoded message may be of; () if that is not known")

    def selector_for(types: tuple[type, ...]) -> Any:
        """Return a selector for the messages of some classes.

        @return: a `twisted_repeater.selectors.Selector` that wants every payload that decodes to a message of these
            classes, and as few others as can be told without decoding; ``None`` where nothing can be told.
        """


class IFraming(Interface):
    """Cuts a stream of bytes into frames, by offset, without copying any; sans-IO.

    One framing serves all lanes of a repeater: apart from ``body`` it must keep nothing between calls.
    """

    body = Attribute("int: where the payload of the frame that `find` saw last begins, as an offset into its data")

    def find(data: bytes, start: int, end: int) -> int:
        """Return where the frame that begins at ``start`` ends, as an offset into ``data``.

        The answer is above ``end`` when the frame is not complete but its header is, and 0 when more
        bytes are needed to tell. When it is not 0, ``body`` is set. A frame has at least one byte.

        As long as the answer is 0, what has come is joined with what comes next and looked at again: a framing whose
        frames don't begin with their size is asked for each read, and has to limit what it waits for by itself.

        @raise FramingError: the header is none, or announces more than is allowed.
        """

    def encode(payload: bytes) -> bytes:
        """Make a frame of a payload.

        @raise MarshalingError: the payload is too long.
        """

    def replace(frame: bytes, payload: bytes) -> bytes:
        """Make a frame of ``payload`` that stands for ``frame``: what its header tells besides lengths is kept."""


class IHandshake(Interface):
    """The hello of a dialect, the first frame each way; sans-IO."""

    framing = Attribute("IFraming: how a hello is framed, with its own limit")

    def decode(payload: bytes) -> Hello:
        """Read a hello.

        @raise InvalidHello: it is none; the message says what was expected.
        """

    def encode(hello: Hello) -> bytes:
        """Write a hello, as a whole frame.

        @raise InvalidHello: it cannot be written in this dialect (a name that is too long, say).
        """


class ILink(Interface):
    """One client's pair of connections, as filters and callbacks see it."""

    state = Attribute("whatever ``on_connect`` returned")
    client_name = Attribute("str: the name in the client's hello")
    server_name = Attribute("str: the name in the server's hello")
    client_hello = Attribute("Hello: what the client said of itself")
    server_hello = Attribute("Hello: what the server said of itself")
    client_address = Attribute("IAddress: where the client connected from")
    server_address = Attribute("IAddress: where the server is")
    stopped = Attribute("frozenset of Direction: those in which a filter's failure has ended receiving for good")

    def received(direction: Direction) -> tuple[int, int]:
        """Return how many messages of a direction were received so far, and how many bytes with their headers.

        Called by a filter, it counts up to the message that the filter looks at.
        """

    def send_to_client(message: Any) -> None:
        """Send a message of the application's own to the client; it goes through no filter.

        Nothing happens if the client's side is gone. A message that cannot be encoded goes to ``on_error``
        as a `MarshalingError`. A client that does not read is disconnected as a `SlowConsumer`.
        """

    def send_to_server(message: Any) -> None:
        """The same towards the server."""

    def finish() -> None:
        """Let the link end without losing a reply.

        For each side whose stream has ended: when everything it sent is delivered, end the stream to the other
        side; close when both directions have ended or ``limits.linger`` is over.
        """

    def close(reason: BaseException | None = None) -> None:
        """Close both sides, after what was received is filtered and what waits is flushed. Idempotent."""


class IObserver(Interface):
    """Is told what happens, for logs and metrics. An exception that it raises is logged and changes nothing."""

    def link_made(link: ILink) -> None:
        """A client is linked."""

    def link_refused(client_name: str | None, error: ConnectingError) -> None:
        """A client could not be linked."""

    def link_ended(link: ILink, reason: BaseException | None) -> None:
        """Both connections of a link are closed. ``reason`` is what began its end, ``None`` for ``close()``."""

    def link_error(link: ILink, side: Side, error: Exception) -> None:
        """What ``on_error`` is called with."""

    def relayed(link: ILink, direction: Direction, messages: int, size: int) -> None:
        """Called with how many messages were received, and with how many bytes they have, headers included.

        It is called once for each read, or for each part of a read that takes long to filter.
        """
