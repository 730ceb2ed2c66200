"""The dialect ``int32``: frames of `twisted.protocols.basic.Int32StringReceiver`, a JSON hello."""

from __future__ import annotations

from ..dialect import Dialect, MessageType
from ..framings.length import Int32Framing
from ..hello import JSONHandshake
from ..interfaces import ICodec

__all__ = ["int32"]


def int32(
    *,
    to_server: ICodec | MessageType | None = None,
    to_client: ICodec | MessageType | None = None,
    mode: str = "",
    production: bool = True,
) -> Dialect:
    """Make the default dialect.

    A frame is a 4-byte unsigned big-endian length and that many bytes of payload. The first frame each way is
    the hello, a UTF-8 JSON object with ``name`` and optionally ``mode``, ``send_version``, ``recv_version`` and
    ``credentials``. The repeater forwards other members to the other peer unchanged; see `Hello.extra`.

    ``to_server`` and ``to_client`` are the messages of the two directions: a codec, a `MessageType` for codecs with
    versions, or ``None`` for plain ``bytes``. ``mode`` must be equal in the hellos of both peers. ``production`` says
    which versions the repeater's hellos state: ``prod`` or ``test``.
    """
    return Dialect(
        name="int32",
        framing=lambda limits: Int32Framing(limits.max_frame),
        handshake=lambda limits: JSONHandshake(limits.max_hello),
        to_server=MessageType.of(to_server),
        to_client=MessageType.of(to_client),
        mode=mode,
        production=production,
    )
