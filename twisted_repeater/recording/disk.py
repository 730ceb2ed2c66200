"""What the disk below a recording is like: whether several machines share it, and how much room is left."""

from __future__ import annotations

import os
from typing import Final

from .records import RecordingError

__all__ = ["check_kind", "has_room", "reserve_of"]

SHARED: Final = frozenset(
    ("9p", "afs", "ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "gfs2", "lustre", "nfs", "nfs4", "ocfs2", "smb3")
)
"""Kinds of file systems that several machines may use at once. SQLite's write-ahead log needs memory that all users of
the file share."""

RESERVE: Final = 16 * 1024 * 1024
"""How many bytes of the disk are left to others, or a tenth of the disk if that is less."""

MOUNTS: Final = "/proc/self/mounts"
"""Where the system lists the mounted file systems."""


def check_kind(path: str) -> None:
    """Check that the file system of a file is one that SQLite's write-ahead log works on.

    Args:
        path: the file, which need not be there yet.

    Raises:
        RecordingError: other machines may use the file system, too.
    """
    kind = _kind_of(os.path.dirname(os.path.realpath(path)))
    if kind in SHARED:
        raise RecordingError(f"{path} must be on a disk of this machine, not on a file system of the kind {kind}")


def _kind_of(directory: str) -> str:
    """Return the kind of a directory's file system, ``""`` if the system does not say."""
    try:
        with open(MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
            mounts = [line.split()[1:3] for line in file]
    except OSError:
        return ""
    found, kind = "", ""
    for place, mounted in mounts:
        place = place.encode("latin-1", "replace").decode("unicode_escape") if "\\" in place else place
        inside = os.path.commonpath((place, directory)) == place
        if inside and len(place) >= len(found):  # a later mount hides an earlier one
            found, kind = place, mounted
    return kind


def reserve_of(path: str) -> int:
    """Return how many bytes of a file's disk are left to others."""
    disk = os.statvfs(os.path.dirname(os.path.realpath(path)))
    return min(RESERVE, disk.f_blocks * disk.f_frsize // 10)


def has_room(path: str, *, times: int = 1) -> bool:
    """Return whether the disk has room for more, and for others.

    Args:
        path: a file on the disk.
        times: how many times the reserve has to be free.
    """
    disk = os.statvfs(os.path.dirname(os.path.realpath(path)))
    return disk.f_bavail * disk.f_frsize >= reserve_of(path) * times
