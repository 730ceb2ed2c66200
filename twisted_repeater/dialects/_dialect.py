"""A dialect: everything about one wire protocol, put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from .._text import repr_of, text_of
from .._types import Codec, FilterPairObject, FramingObject, Message
from ..errors import ConnectingError
from ..framings.base import Framings
from ..link import Link
from ..model import Direction, Limits, SameName
from .attempt import Attempt, Opening
from .message_types import MessageType
from .openings import by_address

__all__ = ["Dialect"]

MakeFraming: TypeAlias = Callable[[Limits], FramingObject | Framings]
Refusal: TypeAlias = Callable[[ConnectingError, Attempt], bytes | None]
Farewell: TypeAlias = Callable[[BaseException | None, Link], bytes | None]
Redact: TypeAlias = Callable[[Message, Direction], Message]


class Dialect:
    """One wire protocol.

    For example, messages whose length is in two bytes before them, and whose server speaks first::

        Dialect(name="short", framing=lambda limits: LengthFraming(limits.max_frame, size=2), opening=server_first)

    Args:
        name: the name of the protocol in logs and errors.
        framing: a function that returns the framing for the limits of a repeater. It is called for each link. It
            returns `Framings`, or one framing; then it is called once more, so that each direction has its own.
        opening: plays the beginning of the protocol, up to where messages are relayed; see `Attempt`. The default,
            `by_address`, names a client after its address, and connects to the server with the client's first byte.
        refusal: a function of the error and the attempt that returns the last bytes for a client that cannot be linked,
            or ``None`` if the protocol allows no answer at that point. The client is then closed in good order, so that
            its user reads why.
        farewell: a function of the reason and the link that returns the last bytes for a client whose link the
            repeater or the application closes, or ``None``. The reason is ``None`` if the application gave none.
        same_name: what to do with a newcomer whose name belongs to another link.
        redact: a function of a message and its direction that returns what logs may show in its place, without
            passwords and the like; the same object if nothing in it is secret.
        max_frame: the longest payload, in bytes, unless `Limits` say otherwise; ``None`` for the usual 16 MiB.
        filters: a pair of filters that belongs to the protocol, and is nearest to the server: messages to the server
            reach it after the application's filters, messages to the client before them. Its filters of a link stay
            when the application's are replaced. They choose messages by class, or by a method ``selector_for``. A
            filter of a protocol that numbers its messages can stand around the application's: see `ISessionFilter`.
        to_server: the messages to the server: a codec, a `MessageType` for codecs with versions, or ``None`` for plain
            ``bytes``.
        to_client: the messages to the client, in the same way.

    Raises:
        TypeError: an argument is of another kind.
        ValueError: ``max_frame`` is not above 0.
    """

    def __init__(
        self,
        *,
        name: str,
        framing: MakeFraming,
        opening: Opening = by_address,
        refusal: Refusal | None = None,
        farewell: Farewell | None = None,
        same_name: SameName = SameName.REFUSE,
        redact: Redact | None = None,
        max_frame: int | None = None,
        filters: FilterPairObject | None = None,
        to_server: MessageType | Codec | None = None,
        to_client: MessageType | Codec | None = None,
    ) -> None:
        for argument, value, kind, fits in (
            ("name", name, "a string", isinstance(name, str)),
            ("framing", framing, "a function of the limits that returns a framing", callable(framing)),
            ("opening", opening, "a coroutine function of an attempt", callable(opening)),
            ("refusal", refusal, "a function", refusal is None or callable(refusal)),
            ("farewell", farewell, "a function", farewell is None or callable(farewell)),
            ("same_name", same_name, "a SameName", isinstance(same_name, SameName)),
            ("redact", redact, "a function", redact is None or callable(redact)),
            ("max_frame", max_frame, "a number of bytes", max_frame is None or type(max_frame) is int),
            ("filters", filters, "a pair of filters", filters is None or callable(getattr(filters, "for_link", None))),
        ):
            if not fits:
                raise TypeError(f"{argument} must be {kind}, not {repr_of(value)}")
        if max_frame is not None and max_frame <= 0:
            raise ValueError(f"max_frame must be above 0, not {max_frame}")
        self.name: str = name
        """Its name in logs and errors."""
        self.framing: MakeFraming = framing
        """Returns the framing, or `Framings`, of a link."""
        self.opening: Opening = opening
        """Plays the beginning of the protocol."""
        self.refusal: Refusal | None = refusal
        """Returns the last bytes for a client that cannot be linked."""
        self.farewell: Farewell | None = farewell
        """Returns the last bytes for a client whose link is closed from here."""
        self.same_name: SameName = same_name
        """What to do with a newcomer whose name belongs to another link."""
        self.redact: Redact | None = redact
        """Returns what logs may show of a message."""
        self.max_frame: int | None = max_frame
        """The longest payload, in bytes, unless `Limits` say otherwise."""
        self.filters: FilterPairObject | None = filters
        """The pair of filters that belongs to the protocol."""
        self.to_server: MessageType = MessageType.of(to_server)
        """The messages to the server."""
        self.to_client: MessageType = MessageType.of(to_client)
        """The messages to the client."""

    def __repr__(self) -> str:
        return f"<dialect {self.name}>"

    def changed(self, **changes: Any) -> Dialect:
        """Return the same dialect with other values for some of its arguments."""
        return Dialect(**(vars(self) | changes))

    def framings(self, limits: Limits) -> Framings:
        """Return the framings of a new link."""
        framing = self.framing(limits)
        return framing if isinstance(framing, Framings) else Framings(framing, self._other(limits))

    def check_framings(self, limits: Limits) -> None:
        """Check that the function `framing` makes framings.

        Raises:
            TypeError: it cannot be called with limits, or returns something else.
        """
        try:
            self.framing(limits)
        except TypeError as error:
            raise TypeError(f"the framing of {self.name} failed: {text_of(error)}") from error
        for framing in self.framings(limits):
            if not all(callable(getattr(framing, method, None)) for method in ("find", "encode", "replace")):
                raise TypeError(f"the framing of {self.name} must return a framing, not {repr_of(framing)}")

    def _other(self, limits: Limits) -> FramingObject:
        """Return the framing of the second direction, where `framing` returns one at a time."""
        framing = self.framing(limits)
        if isinstance(framing, Framings):
            raise TypeError(f"the framing of {self.name} must return Framings each time, or one framing each time")
        return framing

    def check_versions(self, convert: bool) -> None:
        """Check that the repeater can speak the versions of both message types.

        Args:
            convert: whether the repeater converts messages between versions.

        Raises:
            MultipleVersionsError: a message type has several versions, and they are not converted.
            ValueError: a conversion is missing.
        """
        for kind, direction in ((self.to_server, "to the server"), (self.to_client, "to the client")):
            if convert:
                kind.check_convertible(direction)
            else:
                kind.check_single_version(direction)
