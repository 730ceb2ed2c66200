"""A dialect: everything about one wire protocol, put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .codecs import RawCodec
from .errors import MultipleVersionsError, VersionMismatch
from .framing import Framing
from .interfaces import ICodec, IHandshake
from .model import Limits

__all__ = ["Dialect", "MessageType"]


@dataclass(frozen=True, eq=False)
class MessageType:
    """The messages of one direction: which versions there are, and their codecs.

    ``codecs`` has a codec for each version. ``low`` is the oldest version still spoken, ``prod`` the one stated in
    a hello, and ``test`` the newest.
    """

    codecs: Mapping[int, ICodec] = field(default_factory=lambda: {1: RawCodec()})
    low: int = 1
    prod: int = 1
    test: int = 1

    def __post_init__(self) -> None:
        if not self.low <= self.prod <= self.test:
            raise ValueError(f"low, prod and test must not fall: {self.low}, {self.prod}, {self.test}")
        missing = [version for version in range(self.low, self.test + 1) if version not in self.codecs]
        if missing:
            raise ValueError(f"no codec for version {missing[0]}")

    @classmethod
    def of(cls, what: MessageType | ICodec | None) -> MessageType:
        """Give the type itself, or the type with the one version that this codec is for."""
        if what is None:
            return cls()
        if isinstance(what, MessageType):
            return what
        return cls({1: what})

    def check_single_version(self, direction: str) -> None:
        """Raise `MultipleVersionsError` unless low, prod and test are equal."""
        if not self.low == self.prod == self.test:
            raise MultipleVersionsError(
                f"the messages {direction} have versions {self.low} (low), {self.prod} (prod) and {self.test} (test): "
                "state one, or ask for conversion"
            )

    def codec(self, version: int) -> ICodec:
        """Give the codec of a version, `VersionMismatch` if there is none."""
        if not self.low <= version <= self.test:
            raise VersionMismatch(f"version {version} is needed, there are {self.low} to {self.test}")
        return self.codecs[version]

    def reader(self, version: int) -> Callable[[bytes], Any] | None:
        """Give what makes messages of payloads of a version; ``None`` if a message is its payload."""
        codec = self.codec(version)
        return None if isinstance(codec, RawCodec) else codec.decode

    def writer(self, version: int) -> Callable[[Any], Any]:
        """Give what makes payloads of a version. What it gives is `LEFT_OUT` for a message that version lacks."""
        return self.codec(version).encode


@dataclass(frozen=True, eq=False)
class Dialect:
    """One wire protocol.

    ``framing`` and ``handshake`` make theirs for a repeater's limits. ``mode`` is the mode that both peers must be in.
    """

    name: str
    framing: Callable[[Limits], Framing]
    handshake: Callable[[Limits], IHandshake]
    to_server: MessageType = field(default_factory=MessageType)
    to_client: MessageType = field(default_factory=MessageType)
    mode: object = ""

    def check_single_version(self) -> None:
        """Raise `MultipleVersionsError` if a message type states several versions."""
        self.to_server.check_single_version("to the server")
        self.to_client.check_single_version("to the client")
