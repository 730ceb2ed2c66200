"""The objects that users provide, as type checkers without a plugin for zope.interface understand them.

The interfaces in `twisted_repeater.interfaces` say what each method promises.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from .link import Link
from .verdicts import Answer

if TYPE_CHECKING:
    from .errors import ConnectingError
    from .model import Direction, Hello, Side

Reactor: TypeAlias = Any
"""A reactor. It provides several of Twisted's interfaces, and Python has no type for an object that does."""

Message: TypeAlias = Any
"""A message: the object that a codec makes of a payload."""

FilterFunction: TypeAlias = Callable[[Message, Link], Answer]
"""A function of a message and its link that returns a verdict, or a Deferred or a coroutine of one."""


class FilterObject(Protocol):
    """An object whose method ``filter`` is a filter; see `IFilter`."""

    def filter(self, message: Message, link: Link, /) -> Answer:
        """See `IFilter`."""


Filter: TypeAlias = FilterFunction | FilterObject
"""A filter: a function of a message and its link, or an object with such a method ``filter``."""


Filters: TypeAlias = tuple[Filter | None, Filter | None]
"""The filters of one link, to the server and to the client."""


class FilterPairObject(Protocol):
    """See `IFilterPair`."""

    def for_link(self, link: Link, /) -> Filters:
        """See `IFilterPair`."""


class Codec(Protocol):
    """See `ICodec`."""

    def decode(self, payload: bytes, /) -> Message:
        """See `ICodec`."""

    def encode(self, message: Message, /) -> bytes:
        """See `ICodec`."""


class FramingObject(Protocol):
    """See `IFraming`."""

    @property
    def body(self) -> int:
        """See `IFraming`."""

    def find(self, data: bytes, start: int, end: int, /) -> int:
        """See `IFraming`."""

    def encode(self, payload: bytes, /) -> bytes:
        """See `IFraming`."""

    def replace(self, frame: bytes, payload: bytes, /) -> bytes:
        """See `IFraming`."""


class Handshake(Protocol):
    """See `IHandshake`."""

    @property
    def framing(self) -> FramingObject:
        """See `IHandshake`."""

    def decode(self, payload: bytes, /) -> Hello:
        """See `IHandshake`."""

    def encode(self, hello: Hello, /) -> bytes:
        """See `IHandshake`."""


class Observer(Protocol):
    """See `IObserver`."""

    def link_made(self, link: Link, /) -> object:
        """See `IObserver`."""

    def link_refused(self, client_name: str | None, error: ConnectingError, /) -> object:
        """See `IObserver`."""

    def link_ended(self, link: Link, reason: BaseException | None, /) -> object:
        """See `IObserver`."""

    def link_error(self, link: Link, side: Side, error: Exception, /) -> object:
        """See `IObserver`."""

    def relayed(self, link: Link, direction: Direction, messages: int, size: int, /) -> object:
        """See `IObserver`."""
