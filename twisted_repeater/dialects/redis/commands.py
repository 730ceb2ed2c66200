"""`Commands`: refuses commands, keys and channels that are not allowed."""

from __future__ import annotations

from collections.abc import Iterable

from zope.interface import implementer

from ..._text import printable, shortened
from ..._types import Filters
from ...interfaces import ICodec, IFilter, IFilterPair, ISelectiveByCodec
from ...link import Link
from ...selectors import Selector
from ...verdicts import PASS_ON, SendBack, Verdict
from .by_name import by_name
from .codec import check_codec
from .globs import SPECIAL, compile_globs
from .keys import Arguments, channels_of, full_name, keys_of
from .marks import in_turn
from .messages import Command, Reply

__all__ = ["Commands"]

ALWAYS = frozenset({"AUTH", "HELLO", "QUIT", "RESET"})
"""Commands that `Commands` lets pass unless they are refused by name: a connection begins or ends with them."""

MOST_NAMES = 1000
"""How many names of commands are remembered: clients choose them."""

LONGEST_SHOWN = 64
"""How many characters of a name or a key are in a refusal."""


@implementer(IFilterPair)
class Commands:
    """Refuses commands that are not allowed, with an error ``NOPERM`` in their turn. All others pass.

    A refused command makes a transaction fail, as any command does that Redis refuses.

    Patterns of commands are such as ``"GET"``, ``"CONFIG SET"``, ``"FLUSH*"`` or ``"SELECT 0"``: a name, and after a
    space the first argument, in whatever case. ``"CONFIG"`` is all that begins with it. Patterns of keys and channels
    are such as Redis has: ``"user:*"``, ``"news.?"``.

    Args:
        allow: commands that are allowed; without any, all are. ``AUTH``, ``HELLO``, ``QUIT`` and ``RESET`` always are.
        refuse: commands that are refused, though they may be allowed by another pattern.
        keys: keys that are allowed; without any, all are. Commands that may touch keys which they do not name are
            refused: ``SCAN``, ``FLUSHALL`` and the like, ``MONITOR``, scripts, ``SORT`` with patterns, and all unknown
            ones.
        channels: channels that are allowed; without any, all are. ``PSUBSCRIBE`` may only have one of these patterns
            itself. Scripts are refused, and what tells of all channels.
        trust: commands that are not refused because they may touch other keys or channels: ``"EVAL"``, ``"JSON.*"``.
            Keys that they name must be allowed, as far as it is known which of their arguments are keys.

    Raises:
        TypeError: an argument is one pattern, not several.
        ValueError: a pattern is not understood, or no pattern is given.
    """

    def __init__(
        self,
        *,
        allow: tuple[str, ...] = (),
        refuse: tuple[str, ...] = (),
        keys: tuple[str, ...] = (),
        channels: tuple[str, ...] = (),
        trust: tuple[str, ...] = (),
    ) -> None:
        self._allow = _Names("allow", allow)
        self._refuse = _Names("refuse", refuse)
        self._trust = _Names("trust", trust)
        if not (allow or refuse or keys or channels):
            raise ValueError("Commands needs something to allow or to refuse, or patterns of keys or channels")
        self._key_patterns = _patterns("keys", keys)
        self._channel_patterns = frozenset(_patterns("channels", channels))
        self._is_key = compile_globs(self._key_patterns).fullmatch
        self._is_channel = compile_globs(self._channel_patterns).fullmatch
        self._decided: dict[str, bool] = {}
        self.selector: Selector | None = None if self._key_patterns or self._channel_patterns else self._selector()
        self._pair = in_turn(_Refusing(self))

    def for_link(self, link: Link) -> Filters:
        """See `IFilterPair`."""
        return self._pair.for_link(link)

    def refusal(self, command: Command) -> str | None:
        """Return why a command is refused; ``None`` if it is not."""
        name = command.name
        if not (self._decided.get(name) or self._allows(name, command.arguments)):
            return f"the command {shown(full_name(name, command.arguments))} is not allowed"
        if self._key_patterns and (why := self._refused_keys(name, command.arguments)):
            return why
        return self._refused_channels(name, command.arguments) if self._channel_patterns else None

    def _selector(self) -> Selector | None:
        """Return a selector of the commands that must be looked at, by their names; ``None`` for all."""
        if self._allow:
            names = {*ALWAYS, *self._allow.exact()}
            return by_name(
                [name for name in names if self._name_is_allowed(name, ()) and not self._depends(name)], others=True
            )
        refused = self._refuse.exact()
        return by_name(refused) if len(refused) == len(self._refuse.patterns) else None

    def _allows(self, name: str, arguments: Arguments) -> bool:
        """Return whether a command is allowed by its name, and remember it if that does not depend on an argument."""
        allowed = self._name_is_allowed(name, arguments)
        if not self._depends(name) and len(self._decided) < MOST_NAMES:
            self._decided[name] = allowed
        return allowed

    def _depends(self, name: str) -> bool:
        """Return whether it depends on the first argument if a command is allowed."""
        word = name.encode(errors="surrogateescape")
        return self._refuse.depends(word) or self._allow.depends(word)

    def _name_is_allowed(self, name: str, arguments: Arguments) -> bool:
        word = name.encode(errors="surrogateescape")
        if self._refuse.match(word, arguments):
            return False
        return not self._allow or name in ALWAYS or self._allow.match(word, arguments)

    def _trusts(self, name: str, arguments: Arguments) -> bool:
        return self._trust.match(name.encode(errors="surrogateescape"), arguments)

    def _refused_keys(self, name: str, arguments: Arguments) -> str | None:
        """Return why the keys of a command are refused."""
        keys = keys_of(name, arguments)
        if keys is None:
            return f"the keys of {shown(name)} are not where they should be"
        for key in keys.named:
            if not self._is_key(key):
                return f"the key {shown(key)} is not allowed"
        if keys.others and not self._trusts(name, arguments):
            return f"{shown(full_name(name, arguments))} may touch keys that are not allowed"
        return None

    def _refused_channels(self, name: str, arguments: Arguments) -> str | None:
        """Return why the channels of a command are refused."""
        if b"*" in self._channel_patterns:
            return None
        channels = channels_of(name, arguments)
        for channel in channels.named:
            if not self._is_channel(channel):
                return f"the channel {shown(channel)} is not allowed"
        for pattern in channels.patterns:
            if pattern not in self._channel_patterns:
                return f"the pattern {shown(pattern)} is not allowed"
        if channels.others and not self._trusts(name, arguments):
            return f"{shown(full_name(name, arguments))} may touch channels that are not allowed"
        return None


@implementer(IFilter, ISelectiveByCodec)
class _Refusing:
    """The filter of commands to the server."""

    def __init__(self, rules: Commands) -> None:
        self.rules = rules

    def selector_for(self, codec: ICodec | None) -> Selector | None:
        """See `ISelectiveByCodec`."""
        check_codec(codec, Command, "Commands")
        return self.rules.selector

    def filter(self, message: object, link: Link) -> Verdict:
        """See `IFilter`."""
        why = self.rules.refusal(message) if isinstance(message, Command) else None
        return PASS_ON if why is None else SendBack([Reply.failure(f"NOPERM {why}")])


class _Names:
    """Patterns of commands: each has a name, and perhaps the first argument."""

    def __init__(self, option: str, patterns: Iterable[str]) -> None:
        alone: list[bytes] = []
        first: list[tuple[bytes, bytes]] = []
        for pattern in _patterns(option, patterns):
            words = pattern.upper().split()
            if len(words) not in (1, 2):
                raise ValueError(f"{option} takes commands such as GET or CONFIG SET, not {shown(pattern)}")
            if len(words) == 1:
                alone.append(words[0])
            else:
                first.append((words[0], words[1]))
        self.patterns: tuple[bytes, ...] = (*alone, *(name for name, _ in first))
        """What the names must match."""
        self._alone = compile_globs(alone).fullmatch
        self._first = [(compile_globs([name]).fullmatch, compile_globs([word]).fullmatch) for name, word in first]

    def __bool__(self) -> bool:
        return bool(self.patterns)

    def exact(self) -> list[str]:
        """Return those patterns of names that are names."""
        return [pattern.decode(errors="surrogateescape") for pattern in self.patterns if not SPECIAL.search(pattern)]

    def depends(self, name: bytes) -> bool:
        """Return whether it depends on the first argument if this command matches."""
        return any(is_name(name) for is_name, _ in self._first)

    def match(self, name: bytes, arguments: Arguments) -> bool:
        """Return whether a command matches one of the patterns."""
        if self._alone(name):
            return True
        return bool(arguments) and any(
            is_name(name) and is_word(arguments[0].upper()) for is_name, is_word in self._first
        )


def _patterns(option: str, patterns: Iterable[str]) -> tuple[bytes, ...]:
    """Return patterns as bytes."""
    if isinstance(patterns, (str, bytes)):
        raise TypeError(f"{option} takes several patterns: write ({patterns!r},)")
    return tuple(pattern.encode(errors="surrogateescape") for pattern in patterns)


def shown(what: str | bytes) -> str:
    """Return a name or a key that a stranger chose, as a refusal shows it."""
    text = what.decode(errors="backslashreplace") if isinstance(what, bytes) else what
    return f"'{printable(shortened(text, LONGEST_SHOWN))}'"
