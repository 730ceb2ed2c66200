"""A file that holds one secret, such as a token or a password."""

from __future__ import annotations

import os
import stat

__all__ = ["read_secret"]

MAX_SECRET = 4096
"""The longest secret, in bytes."""


def read_secret(path: str) -> bytes:
    """Return what a file has, without the white space around it. A secret that is too long is cut, but still too long.

    Args:
        path: a file that others than its owner and its group may not read.

    Raises:
        ValueError: the file cannot be read, or others may read it. The message continues the name of an option.
    """
    try:
        with open(path, "rb", opener=_open) as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(MAX_SECRET + 2) if stat.S_ISREG(mode) else b""
    except OSError as error:
        raise ValueError(f"must be a file that can be read, not {path!r}: {error.strerror}") from error
    if not stat.S_ISREG(mode):
        raise ValueError(f"must be a file, not {path!r}")
    if mode & stat.S_IRWXO:
        raise ValueError(f"must be a file that only its owner and group may read, not {path!r}; run chmod 600 on it")
    return data.strip()


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a pipe must not make us wait for a writer
