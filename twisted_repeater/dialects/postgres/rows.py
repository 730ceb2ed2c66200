# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""Reads a row of a result: by far the most messages of PostgreSQL are rows.

This module is ordinary Python; where a compiler was found at installation it runs compiled, with the types of the
``.pxd`` file beside it.
"""

from __future__ import annotations

from .messages import DataRow

__all__ = ["data_row"]

_new = DataRow.__new__
_set_values = vars(DataRow)["values"].__set__
"""Sets the values of a new row. Its ``__init__`` takes three times as long, as rows cannot be changed."""


def data_row(frame: bytes) -> DataRow:
    """Read a DataRow.

    Raises:
        ValueError: the frame is not one.
    """
    view = frame
    size = len(frame)
    if size < 7:
        raise ValueError("it must say how many values it has")
    left = view[5] * 256 + view[6]
    at = 7
    values: list[bytes | None] = []
    while left > 0:
        left -= 1
        if size - at < 4:
            raise ValueError(f"it has {size} bytes, and its parts have more")
        if view[at] >= 128:
            if view[at] & view[at + 1] & view[at + 2] & view[at + 3] != 255:
                raise ValueError(f"a value cannot have {int.from_bytes(frame[at : at + 4], 'big', signed=True)} bytes")
            values.append(None)
            at += 4
            continue
        length = ((view[at] * 256 + view[at + 1]) * 256 + view[at + 2]) * 256 + view[at + 3]
        at += 4
        if length > size - at:
            raise ValueError(f"it has {size} bytes, and its parts have more")
        values.append(frame[at : at + length])
        at += length
    if at != size:
        raise ValueError(f"it has {size} bytes, and its parts have {at}")
    row = _new(DataRow)
    _set_values(row, tuple(values))
    return row
