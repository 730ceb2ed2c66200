"""A dialect: everything about one wire protocol, put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..codecs import LEFT_OUT, RawCodec
from ..errors import MultipleVersionsError, VersionMismatch
from ..framings.base import Framing
from ..interfaces import ICodec, IHandshake
from ..model import Limits

__all__ = ["Conversion", "Dialect", "MessageType", "agreed_version"]


@dataclass(frozen=True, eq=False)
class Conversion:
    """The step between a version of a message type and the one before it.

    Either function gives `LEFT_OUT` for a message that does not exist in the other version.
    """

    up: Callable[[Any], Any]
    """Makes a message of this version of one of the version before."""
    down: Callable[[Any], Any]
    """Makes a message of the version before of one of this version."""


@dataclass(frozen=True, eq=False)
class MessageType:
    """The messages of one direction: which versions there are, and their codecs.

    ``codecs`` has a codec for each version. ``low`` is the oldest version still spoken, ``prod`` the one stated in
    the hellos of production, and ``test`` the newest. ``conversions`` has the step from the version before for each
    version above ``low``; it is needed only where `Repeater.create` is asked to convert. Filters see the form of the
    newest version always.
    """

    codecs: Mapping[int, ICodec] = field(default_factory=lambda: {1: RawCodec()})
    low: int = 1
    prod: int = 1
    test: int = 1
    conversions: Mapping[int, Conversion] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.codecs, int):  # given in the order low, prod, test, codecs, conversions
            vars(self).update(low=self.codecs, prod=self.low, test=self.prod, codecs=self.test)
        _check_kinds((self.low, self.prod, self.test), self.codecs, self.conversions)
        if not self.low <= self.prod <= self.test:
            raise ValueError(f"low, prod and test must not fall: {self.low}, {self.prod}, {self.test}")
        missing = [version for version in range(self.low, self.test + 1) if version not in self.codecs]
        if missing:
            raise ValueError(f"no codec for version {missing[0]}")

    @classmethod
    def of(cls, what: MessageType | ICodec | None) -> MessageType:
        """Return the type itself, or the type with the one version that this codec is for."""
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

    def check_convertible(self, direction: str) -> None:
        """Raise ``ValueError`` if a step between two versions is missing."""
        for version in range(self.low + 1, self.test + 1):
            if version not in self.conversions:
                raise ValueError(f"messages {direction}: no conversion between versions {version - 1} and {version}")

    def codec(self, version: int) -> ICodec:
        """Return the codec of a version, `VersionMismatch` if there is none."""
        if not self.low <= version <= self.test:
            raise VersionMismatch(f"version {version} is needed, there are {self.low} to {self.test}")
        return self.codecs[version]

    def codec_of_filters(self, version: int) -> ICodec | None:
        """Return the codec whose messages filters see as it decodes them; ``None`` if they are converted after that."""
        return self.codec(version) if version == self.test else None

    def reader(self, version: int) -> Callable[[bytes], Any] | None:
        """Return what makes messages, in their newest form, of payloads of a version; ``None`` if that is nothing to do.

        What it makes is `LEFT_OUT` for a message that a newer version lacks.
        """
        codec = self.codec(version)
        steps = [self.conversions[newer].up for newer in range(version + 1, self.test + 1)]
        if steps:
            return lambda payload: _converted(codec.decode(payload), steps)
        return None if type(codec) is RawCodec else codec.decode

    def writer(self, version: int) -> Callable[[Any], Any]:
        """Return what makes payloads of a version of messages in their newest form.

        What it makes is `LEFT_OUT` for a message that the version lacks.
        """
        codec = self.codec(version)
        steps = [self.conversions[newer].down for newer in range(self.test, version, -1)]
        if not steps:
            return codec.encode

        def write(message: Any) -> Any:
            converted = _converted(message, steps)
            return LEFT_OUT if converted is LEFT_OUT else codec.encode(converted)

        return write


@dataclass(frozen=True, eq=False)
class Dialect:
    """One wire protocol.

    ``framing`` and ``handshake`` make theirs for a repeater's limits. ``mode`` is the mode that both peers must be in.
    In hellos the ``prod`` versions of the message types are stated, or the ``test`` versions unless ``production``.
    """

    name: str
    framing: Callable[[Limits], Framing]
    handshake: Callable[[Limits], IHandshake]
    to_server: MessageType = field(default_factory=MessageType)
    to_client: MessageType = field(default_factory=MessageType)
    mode: object = ""
    production: bool = True

    def check_versions(self, convert: bool) -> None:
        """Raise an error if a message type has several versions, or, if they are to be converted, lacks a step.

        The errors are `MultipleVersionsError` and ``ValueError``.
        """
        for kind, direction in ((self.to_server, "to the server"), (self.to_client, "to the client")):
            if convert:
                kind.check_convertible(direction)
            else:
                kind.check_single_version(direction)

    def stated(self, kind: MessageType) -> int:
        """Return the version of a message type that hellos state."""
        return kind.prod if self.production else kind.test


def _check_kinds(versions: tuple[object, ...], codecs: Mapping[int, object], conversions: object) -> None:
    """Raise ``TypeError`` unless the parts of a message type are of their kinds."""
    for name, by_version in (("codecs", codecs), ("conversions", conversions)):
        if not isinstance(by_version, Mapping):
            raise TypeError(f"{name}: expected a mapping whose keys are versions, got {by_version!r}")
    if not all(isinstance(version, int) for version in versions):
        raise TypeError(f"low, prod and test: expected numbers of versions, got {', '.join(map(repr, versions))}")
    for codec in codecs.values():
        methods = (getattr(codec, "decode", None), getattr(codec, "encode", None))
        if isinstance(codec, type) or not all(map(callable, methods)):
            raise TypeError(
                f"{codec!r} is no codec: expected an object with the methods decode and encode, such as "
                "bin_prot_codec makes of a bin_prot type"
            )


def _converted(message: Any, steps: list[Callable[[Any], Any]]) -> Any:
    """Take a message from one version to another, step by step."""
    for step in steps:
        if message is LEFT_OUT:
            break
        message = step(message)
    return message


def agreed_version(sends: int, receives: int) -> int:
    """Return the version that a connection uses in one direction: the newest that both ends have."""
    return min(sends, receives)
