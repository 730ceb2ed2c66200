"""The errors of bin_prot's readers and writers."""

from __future__ import annotations

import reprlib

from ...errors import MarshalingError, ParseError


def unexpected(expected: str, at: int, found: str) -> ParseError:
    """Return the error of a reader that found something else than it expected at a byte."""
    return ParseError(f"expected {expected} at byte {at}, found {found}", offset=at)


def cut_short(expected: str, data: bytes, at: int) -> ParseError:
    """Return the error of a reader for which too few bytes are left."""
    left = len(data) - at
    return unexpected(expected, at, f"only {count_bytes(left)}" if left > 0 else "the end")


def wrong(expected: str, value: object) -> MarshalingError:
    """Return the error of a writer that was given something else than it expected."""
    try:
        shown = reprlib.repr(value)
    except Exception:  # an int of more digits than Python converts, or a repr of the application's that raises
        shown = f"a value of type {type(value).__name__}"
    return MarshalingError(f"expected {expected}, got {shown}")


def add_to_path(part: str, error: ParseError | MarshalingError) -> None:
    """Add a part to the front of the path of an error, while the error goes up."""
    inner = error.field or ""
    error.field = f"{part}.{inner}" if inner and not inner.startswith("[") else part + inner


def put_path_first(error: ParseError | MarshalingError) -> None:
    """Begin the text of an error with its path, if it has one."""
    if error.field:
        error.args = (f"{error.field}: {error}",)


def count_bytes(size: int) -> str:
    """Return a number of bytes in words."""
    return "1 byte" if size == 1 else f"{size} bytes"
