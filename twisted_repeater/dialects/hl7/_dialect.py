"""The dialect `hl7`."""

from __future__ import annotations

from typing import Literal

from ...errors import ConnectingError
from ...filters.allow import Deny
from ...filters.pair import FilterPair
from ...framings import DelimitedFraming
from ...model import SameName
from .._dialect import Dialect
from ..attempt import Attempt
from ..openings import server_first
from .acknowledging import acknowledgement
from .codec import Hl7Codec
from .frames import FILLERS, Filler, Raw
from .naming import by_sender

__all__ = ["hl7"]


def hl7(
    *,
    name: Literal["address", "application", "facility"] = "address",
    charset: str = "utf-8",
    filler: Literal["pass", "strip"] = "pass",
    max_frame: int | None = None,
) -> Dialect:
    r"""Return the dialect of HL7 version 2 over MLLP.

    Messages of both directions are `Message`, `Batch` for several in one frame, `Raw` for frames without a header, and
    `Filler` for bytes between frames.

    Args:
        name: how a client is named: by its address, or by the sending application (MSH-3) or the sending facility
            (MSH-4) of its first message. Many clients may share a name.
        charset: the character set of messages without MSH-18.
        filler: what to do with line feeds, carriage returns and NULs between two frames.
        max_frame: the longest message, in bytes, unless the repeater's limits say otherwise.

    Raises:
        ValueError: an argument is not one of these.
    """
    for argument, value, choices in (
        ("name", name, ("address", "application", "facility")),
        ("filler", filler, ("pass", "strip")),
    ):
        if value not in choices:
            raise ValueError(f"{argument} must be {' or '.join(choices)}, not {value!r}")
    codec = Hl7Codec(charset)
    return Dialect(
        name="hl7",
        framing=lambda limits: DelimitedFraming(int(limits.max_frame), b"\x1c\r", start=b"\x0b", between=FILLERS),
        opening=server_first if name == "address" else by_sender(name, codec.charset),
        refusal=_refusal,
        same_name=SameName.SHARE,
        max_frame=max_frame,
        filters=FilterPair(Deny(Filler), Deny(Filler)) if filler == "strip" else None,
        to_server=codec,
        to_client=codec,
    )


def _refusal(error: ConnectingError, attempt: Attempt) -> bytes:
    """Return the answer for a client that cannot be linked. It reads it as the answer to its first message."""
    return b"\x0b" + bytes(acknowledgement(Raw(b""), "AE", str(error))) + b"\x1c\r"
