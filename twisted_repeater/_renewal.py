"""Values that are made of files, such as options of TLS with their certificates, and made again when the files change.

* The system is asked now and then whether a file has changed, when the value is wanted or somebody asks. Only then is
  it read. A mounted directory whose symbolic link is replaced counts as changed, too.
* The contents decide. If they are the same as before, the value stays.
* If the new files cannot be used, because one is missing, half-written or does not fit the others, the value stays, and
  the log says why, once.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar
from weakref import WeakSet

from twisted.logger import Logger

from ._text import printable, text_of

__all__ = ["LOOK_EVERY", "Contents", "Renewed", "Reread", "look_at_all", "read_all"]

log: Logger = Logger()

T = TypeVar("T")

Contents: TypeAlias = Mapping[str, Mapping[Path, bytes]]
"""For each path, the contents of its file. The path of a directory has those of its ``.pem`` files."""

LOOK_EVERY: float = 5.0
"""How many seconds pass at least between two questions to the system about files."""

WARN_BEFORE = timedelta(days=14)
"""How long before its end a certificate is logged, once a day."""


class Reread(NamedTuple):
    """What happened when the files of an endpoint, or of other options of TLS, were looked at."""

    name: str
    """Whose files they are: the description of an endpoint, for example."""
    changed: bool
    """Whether the new contents are in use now, for new connections."""
    error: str | None
    """Why the files cannot be used; the contents that were read before stay in use."""


class Renewed(Generic[T]):
    """A value that is made of files.

    Args:
        name: whose files they are, for the log.
        paths: the files, or directories of ``.pem`` files.
        make: makes the value of their contents, and raises if they cannot be used.
        ends: returns when a value becomes useless, ``None`` if it does not.

    Raises:
        OSError: a file cannot be read. Whatever ``make`` raises, too.
    """

    def __init__(
        self,
        name: str,
        paths: Iterable[str],
        make: Callable[[Contents], T],
        ends: Callable[[T], datetime | None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = printable(name)
        self._paths = tuple(dict.fromkeys(paths))
        self._make = make
        self._ends = ends
        self._clock = clock
        self._stamps = self._ask_system()
        contents = self._read()
        self._digest = _digest(contents)
        self._newest = make(contents)
        self._error: str | None = None
        self._warned: date | None = None
        self._warn_of_end()
        self._look_at = clock() + LOOK_EVERY
        if self._paths:
            ALL.add(self)

    def newest(self) -> T:
        """Return the newest value that could be made."""
        if self._clock() >= self._look_at:
            self.look()
        return self._newest

    def look(self) -> Reread:
        """Read the files again if the system says that one has changed."""
        self._look_at = self._clock() + LOOK_EVERY
        stamps = self._ask_system()
        if stamps != self._stamps:
            return self.read(stamps)
        self._warn_of_end()
        return Reread(self.name, False, self._error)

    def read(self, stamps: list[object] | None = None) -> Reread:
        """Read the files again."""
        self._stamps = self._ask_system() if stamps is None else stamps  # before reading, or a change could be missed
        try:
            contents = self._read()
            digest = _digest(contents)
            changed = digest != self._digest
            if changed:
                self._newest = self._make(contents)
        except Exception as error:  # of the system, of OpenSSL or of cryptography
            return self._keep(text_of(error))
        self._digest = digest
        self._error = None
        if changed:
            self._warned = None
            log.info("the certificates of {name} were read again", name=self.name)
        self._warn_of_end()
        return Reread(self.name, changed, None)

    def _keep(self, error: str) -> Reread:
        if error != self._error:
            self._error = error
            log.error(
                "the certificates of {name} have changed, but cannot be used, so the old ones stay: {error}",
                name=self.name,
                error=printable(error),
            )
        self._warn_of_end()
        return Reread(self.name, False, error)

    def _warn_of_end(self) -> None:
        """Log that the value will soon be useless, at most once a day."""
        ends, now = self._ends(self._newest), datetime.now(UTC)
        if ends is None or ends - now > WARN_BEFORE or self._warned == now.date():
            return
        self._warned = now.date()
        log.warn(
            "the certificate of {name} {ends} at {when}",
            name=self.name,
            ends="has expired" if ends < now else "expires",
            when=ends.isoformat(timespec="minutes"),
        )

    # -- files ---------------------------------------------------------------------------------------------------

    def _ask_system(self) -> list[object]:
        """Return something that changes when a file changes. It costs a system call for each file."""
        return [(file, _stamp(file)) for path in self._paths for file in _files(path)]

    def _read(self) -> Contents:
        return {path: {file: file.read_bytes() for file in _files(path)} for path in self._paths}


ALL: WeakSet[Renewed[Any]] = WeakSet()
"""All values with files of this process."""


def read_all() -> list[Reread]:
    """Read the files of all values again."""
    return [each.read() for each in _sorted()]


def look_at_all() -> list[Reread]:
    """Read those files again that have changed."""
    return [each.look() for each in _sorted()]


def _sorted() -> list[Renewed[Any]]:
    return sorted(ALL, key=lambda each: each.name)


def _files(path: str) -> list[Path]:
    """Return the file of a path, or the ``.pem`` files of a directory."""
    return sorted(Path(path).glob("*.pem")) if Path(path).is_dir() else [Path(path)]


def _stamp(file: Path) -> tuple[int, ...] | None:
    """Return what the system says of a file, behind symbolic links; ``None`` if it cannot be looked at."""
    try:
        found = os.stat(file)
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _digest(contents: Contents) -> bytes:
    digest = hashlib.sha256()
    for path, files in contents.items():
        for file, content in files.items():
            digest.update(repr((path, file, len(content))).encode())
            digest.update(content)
    return digest.digest()
