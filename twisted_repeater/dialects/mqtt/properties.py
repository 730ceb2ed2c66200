"""The properties of MQTT 5: which there are, and those of one packet, in order."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Any, TypeAlias

__all__ = ["NO_PROPERTIES", "Properties", "Property", "PropertyValue"]

PropertyValue: TypeAlias = int | str | bytes | tuple[str, str]
"""The value of a property. That of a user property is its name and its value."""


class Property(IntEnum):
    """What a property says."""

    PAYLOAD_FORMAT_INDICATOR = 0x01
    MESSAGE_EXPIRY_INTERVAL = 0x02
    CONTENT_TYPE = 0x03
    RESPONSE_TOPIC = 0x08
    CORRELATION_DATA = 0x09
    SUBSCRIPTION_IDENTIFIER = 0x0B
    SESSION_EXPIRY_INTERVAL = 0x11
    ASSIGNED_CLIENT_IDENTIFIER = 0x12
    SERVER_KEEP_ALIVE = 0x13
    AUTHENTICATION_METHOD = 0x15
    AUTHENTICATION_DATA = 0x16
    REQUEST_PROBLEM_INFORMATION = 0x17
    WILL_DELAY_INTERVAL = 0x18
    REQUEST_RESPONSE_INFORMATION = 0x19
    RESPONSE_INFORMATION = 0x1A
    SERVER_REFERENCE = 0x1C
    REASON_STRING = 0x1F
    RECEIVE_MAXIMUM = 0x21
    TOPIC_ALIAS_MAXIMUM = 0x22
    TOPIC_ALIAS = 0x23
    MAXIMUM_QOS = 0x24
    RETAIN_AVAILABLE = 0x25
    USER_PROPERTY = 0x26
    MAXIMUM_PACKET_SIZE = 0x27
    WILDCARD_SUBSCRIPTION_AVAILABLE = 0x28
    SUBSCRIPTION_IDENTIFIER_AVAILABLE = 0x29
    SHARED_SUBSCRIPTION_AVAILABLE = 0x2A


class Properties(tuple[tuple[Property, PropertyValue], ...]):
    """The properties of a packet, as pairs in the order of the packet. They cannot be changed.

    Most properties can be there once. A user property may be there any number of times, and in a `Publish` so may a
    subscription identifier::

        properties = Properties([(Property.TOPIC_ALIAS, 3), (Property.USER_PROPERTY, ("site", "north"))])
        properties.get(Property.TOPIC_ALIAS)  # 3
        properties.having(Property.USER_PROPERTY, ("seen-by", "edge"))  # another one, with this pair at its end
        properties.without(Property.TOPIC_ALIAS)  # another one, without the alias

    Args:
        pairs: the properties with their values.
    """

    __slots__ = ()

    def __new__(cls, pairs: Iterable[tuple[Property, PropertyValue]] = ()) -> Properties:
        """Make properties of pairs."""
        return super().__new__(cls, pairs)

    def __repr__(self) -> str:
        shown = ", ".join(f"({_text_of(name)}, {'...' if name in SECRET else repr(value)})" for name, value in self)
        return f"Properties([{shown}])"

    def get(self, name: Property, default: Any = None) -> Any:
        """Return the value of the first property of a name, or a default."""
        for own, value in self:
            if own == name:
                return value
        return default

    def all(self, name: Property) -> tuple[Any, ...]:
        """Return the values of all properties of a name, in order."""
        return tuple(value for own, value in self if own == name)

    def having(self, name: Property, value: PropertyValue) -> Properties:
        """Return these properties with one more at the end; it replaces others of its name, but for user properties."""
        kept = self if name == Property.USER_PROPERTY else self.without(name)
        return Properties((*kept, (name, value)))

    def without(self, *names: Property) -> Properties:
        """Return these properties without those of some names."""
        return Properties(pair for pair in self if pair[0] not in names)


def _text_of(name: object) -> str:
    return str(name) if not isinstance(name, Property) else name.name


SECRET = frozenset({Property.AUTHENTICATION_DATA})
"""The properties whose values are not shown."""

NO_PROPERTIES: Properties = Properties()
"""No property at all."""
