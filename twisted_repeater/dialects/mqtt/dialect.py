"""The function `mqtt`, which puts the dialect together, with its opening."""

from __future__ import annotations

from ..._text import repr_of
from ...errors import ParseError
from ...framings import VarintFraming
from ...model import SameName
from .._dialect import Dialect
from ..attempt import Attempt, Versions
from ..message_types import MessageType
from .answers import Farewell, redacted, refusal
from .assigned_names import AssignedNames
from .codec import VERSIONS, MqttCodec
from .decoding import ANY, decode
from .messages import Connect
from .property_codec import PacketType

__all__ = ["MqttOpening", "mqtt"]

MAX_CONNECT = 64 * 1024


def mqtt(*, max_connect: int = MAX_CONNECT, max_frame: int | None = None) -> Dialect:
    """Return the dialect of MQTT 3.1, 3.1.1 and 5.

    A client's name is its client id. A second client of the same id replaces the first, as it would at the broker. In
    version 5 a client may leave its id to the broker; the one that the broker assigns becomes its name. In other
    versions such a client is named after its address.

    Filters see the classes of `twisted_repeater.dialects.mqtt`, in all versions. ``link.details`` has ``version``
    (3 for MQTT 3.1, 4 for 3.1.1, 5), ``username`` (``None`` without one) and ``bridge``; ``link.client_hello`` is the
    client's `Connect`.

    A packet that the protocol does not allow ends the link, if a filter looks at packets of its type. The sender, if it
    is a client of version 5, gets a DISCONNECT that says why. So does one with more than 1000 properties, or more than
    10,000 topic filters. Other packets pass without being looked at.

    Args:
        max_connect: the longest CONNECT, in bytes. ``limits.max_hello`` limits it as well.
        max_frame: the longest packet, in bytes, unless the repeater's limits say otherwise; ``None`` for 16 MiB.

    Raises:
        TypeError: ``max_connect`` is not a whole number.
        ValueError: ``max_connect`` is not above 0.
    """
    if type(max_connect) is not int:
        raise TypeError(f"max_connect must be a whole number, not {repr_of(max_connect)}")
    if max_connect <= 0:
        raise ValueError(f"max_connect must be above 0, not {max_connect}")
    codecs = {version: MqttCodec(version) for version in VERSIONS}
    messages = MessageType(codecs, low=3, prod=5, test=5, per_link=True)
    names = AssignedNames()
    return Dialect(
        name="mqtt",
        framing=lambda limits: VarintFraming(int(limits.max_frame), at=1, whole=True),
        opening=MqttOpening(max_connect),
        refusal=refusal,
        farewell=Farewell(names),
        same_name=SameName.REPLACE,
        redact=redacted,
        max_frame=max_frame,
        filters=names,
        to_server=messages,
        to_client=messages,
    )


class MqttOpening:
    """Looks at the client's CONNECT, and leaves it in the stream, for the filters and the broker.

    What the client sends right behind it, before the broker has answered, waits and keeps its order.

    Args:
        max_connect: the longest CONNECT, in bytes.
    """

    def __init__(self, max_connect: int) -> None:
        self._framing = VarintFraming(max_connect, at=1, whole=True)

    async def __call__(self, attempt: Attempt) -> None:
        """Play the opening."""
        first = await attempt.client.peek_bytes(1)
        if first[0] != PacketType.CONNECT << 4:  # another protocol: a browser, or TLS
            raise ParseError("expected a CONNECT")
        packet = await attempt.client.peek(self._framing)
        connect = decode(packet.payload, ANY)
        assert isinstance(connect, Connect)
        version = connect.version
        await attempt.admit(
            connect.client_id or None, version=version, username=connect.username, bridge=connect.bridge
        )
        await attempt.dial()
        versions = Versions(version, version)
        await attempt.connect(client=connect, versions=(versions, versions))
