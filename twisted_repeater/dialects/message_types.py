"""The messages of one direction: their versions, and the codec of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

from .._types import Codec, Message
from ..codecs import LEFT_OUT, RawCodec
from ..errors import MultipleVersionsError, VersionMismatch
from ..interfaces import ICodec

__all__ = ["Conversion", "MessageType", "agreed_version"]

Step: TypeAlias = Callable[[Message], Message]
"""A function from a message in one version to the message in another."""


@dataclass(frozen=True, eq=False)
class Conversion:
    """The step between a version of a message type and the one before it.

    Either function returns `LEFT_OUT` for a message that does not exist in the other version.
    """

    up: Step
    """Returns the message in this version, given the message in the version before."""
    down: Step
    """Returns the message in the version before, given the message in this version."""


@dataclass(frozen=True, eq=False)
class MessageType:
    """The messages of one direction: which versions there are, and their codecs.

    Filters see messages in the newest version. With ``per_link`` they see them in the version of their link.

    Raises:
        TypeError: a part is of another kind.
        ValueError: ``low``, ``prod`` and ``test`` fall, a version has no codec, or both ``per_link`` and
            ``conversions`` are given.
    """

    codecs: Mapping[int, Codec] = field(default_factory=lambda: {1: RawCodec()})
    """A codec for each version."""
    low: int = 1
    """The oldest version still spoken."""
    prod: int = 1
    """The version in the hellos of production."""
    test: int = 1
    """The newest version."""
    conversions: Mapping[int, Conversion] = field(default_factory=dict)
    """For each version above ``low``, the step from the version before. Needed only if `Repeater.create` converts."""
    per_link: bool = False
    """Whether client and server of a link always speak the same version, so that nothing is ever converted. The opening
    finds out which, and passes it to `Attempt.connect`; without that it is ``prod``."""

    def __post_init__(self) -> None:
        _check_kinds((self.low, self.prod, self.test), self.codecs, self.conversions)
        if not self.low <= self.prod <= self.test:
            raise ValueError(f"low, prod and test must not fall: {self.low}, {self.prod}, {self.test}")
        if self.per_link and self.conversions:
            raise ValueError("conversions must be empty with per_link: nothing is converted")
        missing = [version for version in range(self.low, self.test + 1) if version not in self.codecs]
        if missing:
            raise ValueError(f"no codec for version {missing[0]}")

    @classmethod
    def of(cls, given: MessageType | Codec | None) -> MessageType:
        """Return a message type as it is, or the one whose only version has this codec; ``None`` means ``bytes``."""
        if given is None:
            return cls()
        return given if isinstance(given, MessageType) else cls({1: given})

    def check_single_version(self, direction: str) -> None:
        """Raise `MultipleVersionsError` unless low, prod and test are equal, or each link has its own version."""
        if not self.per_link and not self.low == self.prod == self.test:
            raise MultipleVersionsError(
                f"the messages {direction} have versions {self.low} (low), {self.prod} (prod) and {self.test} (test): "
                "state one, or ask for conversion"
            )

    def check_convertible(self, direction: str) -> None:
        """Raise ``ValueError`` if a step between two versions is missing."""
        if self.per_link:
            return
        for version in range(self.low + 1, self.test + 1):
            if version not in self.conversions:
                raise ValueError(f"messages {direction}: no conversion between versions {version - 1} and {version}")

    def codec(self, version: int) -> ICodec:
        """Return the codec of a version; raise `VersionMismatch` if the type lacks that version."""
        if not self.low <= version <= self.test:
            raise VersionMismatch(f"version {version} is needed, there are {self.low} to {self.test}")
        return cast("ICodec", self.codecs[version])

    def codec_of_filters(self, version: int) -> ICodec | None:
        """Return the codec whose messages filters see; ``None`` if messages are converted after decoding."""
        return self.codec(version) if self.per_link or version == self.test else None

    def reader(self, version: int) -> Callable[[bytes], object] | None:
        """Return a function from a payload of a version to the message in the newest version.

        It returns `LEFT_OUT` for a message that a newer version lacks. ``None`` if messages are payloads.
        """
        codec = self.codec(version)
        newest = version if self.per_link else self.test
        steps = [self.conversions[newer].up for newer in range(version + 1, newest + 1)]
        if steps:
            return lambda payload: _converted(codec.decode(payload), steps)
        return None if type(codec) is RawCodec else codec.decode

    def writer(self, version: int) -> Callable[[Message], Any]:
        """Return a function from a message in the newest version to the payload of a version.

        It returns `LEFT_OUT` for a message that the version lacks.
        """
        codec = self.codec(version)
        newest = version if self.per_link else self.test
        steps = [self.conversions[newer].down for newer in range(newest, version, -1)]
        if not steps:
            return codec.encode

        def write(message: object) -> object:
            converted = _converted(message, steps)
            return LEFT_OUT if converted is LEFT_OUT else codec.encode(converted)

        return write


def _check_kinds(versions: tuple[object, ...], codecs: object, conversions: object) -> None:
    """Raise ``TypeError`` unless the parts of a message type are of their kinds."""
    for name, by_version in (("codecs", codecs), ("conversions", conversions)):
        if not isinstance(by_version, Mapping):
            raise TypeError(f"{name} must be a mapping whose keys are versions, not {by_version!r}")
    if not all(isinstance(version, int) for version in versions):
        raise TypeError(f"low, prod and test must be numbers of versions, not {', '.join(map(repr, versions))}")
    for codec in cast("Mapping[int, object]", codecs).values():
        methods = (getattr(codec, "decode", None), getattr(codec, "encode", None))
        if isinstance(codec, type) or not all(map(callable, methods)):
            raise TypeError(
                f"a codec must be an object with the methods decode and encode, not {codec!r} "
                "(bin_prot_codec makes a codec of a bin_prot type)"
            )


def _converted(message: object, steps: list[Step]) -> object:
    """Return a message in another version, step by step."""
    for step in steps:
        if message is LEFT_OUT:
            break
        message = step(message)
    return message


def agreed_version(sends: int, receives: int) -> int:
    """Return the version that a connection uses in one direction: the newest that both ends have."""
    return min(sends, receives)
