"""Frames of Modbus/TCP, made by hand."""

from __future__ import annotations

__all__ = ["frame"]


def frame(function: int, data: bytes = b"", *, unit: int = 1, transaction: int = 0) -> bytes:
    """Return a frame."""
    body = bytes((unit, function)) + data
    return transaction.to_bytes(2) + b"\0\0" + len(body).to_bytes(2) + body
