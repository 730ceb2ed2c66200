"""The options for limits, one for each field of `Limits`."""

from __future__ import annotations

from .option import Form, Option
from .option_values import LIMITS, number, seconds, seconds_or_none, size

__all__ = ["LIMIT_OPTIONS"]

FORMS: dict[object, Form] = {
    number: Form.NUMBER,
    size: Form.SIZE,
    seconds: Form.SECONDS,
    seconds_or_none: Form.SECONDS,
}
"""How limits are written, by what reads them."""

DESCRIPTORS = "`500`, or fewer to fit the [file descriptors](../running.md#file-descriptors)"

DEPENDS = {
    "max_frame": "what the dialect says, or else `16MiB`",
    "max_unfinished_frames": "`256MiB`, or four times `max-frame` if that is more",
    "max_clients": DESCRIPTORS,
    "max_unfinished_hellos": DESCRIPTORS,
}
"""What holds without the limits that have no fixed default."""

LIMIT_OPTIONS: list[Option] = [
    Option(
        name=limit.name,
        form=FORMS[limit.read],
        read=limit.read,
        default=limit.default,
        without=DEPENDS.get(limit.field, ""),
        description=limit.description,
        example=limit.default or "500",
    )
    for limit in LIMITS
]
