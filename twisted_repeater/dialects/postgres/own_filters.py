"""The dialect's own pair of filters. It keeps the settings of a session, and mends the errors of refused messages."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from weakref import WeakKeyDictionary

from zope.interface import implementer

from ...filters._provider import selector_for_types
from ...filters.pair import FilterPair
from ...interfaces import ICodec, IFilter, ISelectiveByCodec
from ...link import Link
from ...selectors import Selector
from ...verdicts import PASS_ON, Send, Verdict
from .failing import mended
from .messages import ErrorResponse, ParameterStatus

__all__ = ["OWN_FILTERS", "settings_of"]

MOST_SETTINGS = 100
"""How many settings of a session are kept. A server reports about fifteen."""
LONGEST_VALUE = 1000
"""How long the values are that are kept, in characters."""

NONE: Mapping[str, str] = MappingProxyType({})

_settings: WeakKeyDictionary[Link, dict[str, str]] = WeakKeyDictionary()


def settings_of(link: Link) -> Mapping[str, str]:
    """Return the settings of a session that the server has reported, by their names.

    They are those that clients need, such as ``client_encoding``, ``server_version`` and ``TimeZone``. The server
    reports them at the beginning, and again when they change: after the message that changes them.
    """
    return _settings.get(link, NONE)


@implementer(IFilter, ISelectiveByCodec)
class OwnFilter:
    """Sees what the server says first. It is one object for all links."""

    def filter(self, message: object, link: Link) -> Verdict:
        """See `IFilter`."""
        if isinstance(message, ErrorResponse):
            error = mended(message)
            return PASS_ON if error is None else Send(error)
        if isinstance(message, ParameterStatus):
            settings = _settings.setdefault(link, {})
            if message.name in settings or len(settings) < MOST_SETTINGS:
                settings[message.name] = message.value[:LONGEST_VALUE]
        return PASS_ON

    def selector_for(self, codec: ICodec | None) -> Selector | None:
        """See `ISelectiveByCodec`."""
        return selector_for_types(self, (ErrorResponse, ParameterStatus), codec)


OWN_FILTERS: FilterPair = FilterPair(to_client=OwnFilter())
"""For `Dialect`."""
