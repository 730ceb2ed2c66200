"""The dialect's own filters: they give a client the name that it logs in with, and refuse replication.

A name counts when the server has accepted it. So a mark (see `marks`) goes before each command that may bring a name:
the reply after that of the mark is the reply to the command.

No login may be missed, as the application may refuse a user. In a transaction the mark makes ``EXEC`` fail, so that
nobody is logged in. While the client has turned off replies, logins are refused. The names that clients give to their
connections are not looked at then: they may call themselves whatever they like.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from ..._types import Filter
from ...errors import ConnectingError
from ...interfaces import ICodec, IFilter, IFilterPair, ISelectiveByCodec
from ...link import Link
from ...selectors import Gate, Selector
from ...verdicts import DO_NOTHING, PASS_ON, Answer, Close, Send, Verdict
from .by_name import by_name
from .codec import check_codec
from .marks import Marks
from .messages import Command, Raw, Reply

__all__ = ["Naming"]

REPLICATION = ("SYNC", "PSYNC")
WATCHED = ("AUTH", "HELLO", "CLIENT", "MULTI", "EXEC", "DISCARD", "RESET", *REPLICATION)

MOST_CLAIMS = 100
"""How many names a link may wait for. Further logins are refused until it has them."""

NO_REPLICATION = Reply.failure("ERR the repeater does not carry replication: connect to the server itself")
NO_REPLIES = Reply.failure("ERR the repeater must see the reply to a login: send CLIENT REPLY ON before it")
TOO_MANY = Reply.failure("ERR too many logins at once: wait for replies")
OK = b"+OK\r\n"
SERVER_FIRST = re.compile(rb"[*%]\d+\r\n\$6\r\nserver\r\n")
"""How the reply to HELLO begins."""
MONITORED = re.compile(rb"\+\d+\.\d+ \[")
"""How what ``MONITOR`` shows begins."""

DEFAULT_USER = "default"
"""The user of all who do not say another. It is nobody's name."""

SELECTOR = by_name(WATCHED)
WATCHED_SET = frozenset(WATCHED)


class Claim(NamedTuple):
    """A name that a client claims by a command."""

    by: str
    """The name of the command."""
    user: str | None
    """The user that it logs in as."""
    own: str | None
    """The name that it gives to its connection."""


@dataclass(slots=True)
class Session:
    """What both filters of a link know."""

    marks: Marks[Claim | Reply]
    """The marks before commands that bring a name, and those that stand for an answer."""
    gate: Gate
    """Open while replies must be looked at."""
    skips: Gate
    """Open while the next command, whichever that is, has no reply."""
    claim: Claim | None = None
    """The claim to which the next reply belongs."""
    user: str | None = None
    """The user that the client has logged in as."""


@implementer(IFilterPair)
class Naming:
    """Makes the filters of a link that name its client."""

    __qualname__ = "redis"

    def __repr__(self) -> str:
        return "<the names of redis>"

    def for_link(self, link: Link) -> tuple[Filter, Filter]:
        """See `IFilterPair`."""
        session = Session(Marks(), Gate(), Gate())
        return (_Commands(session), _Replies(session))


@implementer(IFilter, ISelectiveByCodec)
class _Commands:
    """Looks at the commands that may bring a name, or change how others are answered."""

    __qualname__ = "redis"

    def __init__(self, session: Session) -> None:
        self._session = session
        self._in_multi = False
        self._has_replies = True

    def selector_for(self, codec: ICodec | None) -> Selector | None:
        """See `ISelectiveByCodec`."""
        check_codec(codec, Command, "Naming")
        return SELECTOR | self._session.skips

    def filter(self, message: Command | Raw, link: Link) -> Verdict:
        """See `IFilter`."""
        if type(message) is not Command:
            return PASS_ON
        name = message.name
        has_reply = self._has_replies and not self._session.skips.is_open
        self._session.skips.is_open = False
        if name not in WATCHED_SET:
            return PASS_ON
        if name in REPLICATION:
            return self._marked(NO_REPLICATION)
        if name == "MULTI":
            self._in_multi = True
        elif name in ("EXEC", "DISCARD"):
            self._in_multi = False
        elif name == "RESET":
            self._in_multi, self._has_replies = False, True
            self._session.user = None
        elif name == "CLIENT" and len(message.arguments) == 2 and is_word(message.arguments, b"REPLY"):
            self._turn_replies(message.arguments[1].upper())
        elif (claim := claim_of(name, message.arguments)) is not None:
            return self._claimed(claim, message, has_reply)
        return PASS_ON

    def _turn_replies(self, how: bytes) -> None:
        """The client turns replies on or off, at once or when its transaction is carried out."""
        if how == b"ON":
            self._has_replies = self._has_replies or not self._in_multi
        elif how == b"SKIP" and not self._in_multi:
            self._session.skips.is_open = True
        elif how in (b"OFF", b"SKIP"):
            self._has_replies = False

    def _claimed(self, claim: Claim, message: Command, has_reply: bool) -> Verdict:
        """Return the verdict on a command that brings a name."""
        full = len(self._session.marks) >= MOST_CLAIMS
        if claim.user is not None and (full or not has_reply):
            return self._marked(TOO_MANY if has_reply else NO_REPLIES)
        if full or not has_reply or (claim.user is None and self._in_multi):
            return PASS_ON
        return Send(*self._marked(claim).forward, message)

    def _marked(self, stands_for: Claim | Reply) -> Send:
        """Return a verdict that sends a mark."""
        session = self._session
        session.gate.is_open = True
        return Send(session.marks.put(stands_for))


@implementer(IFilter, ISelectiveByCodec)
class _Replies:
    """Looks at replies while a name is waited for."""

    __qualname__ = "redis"

    def __init__(self, session: Session) -> None:
        self._session = session

    def selector_for(self, codec: ICodec | None) -> Selector | None:
        """See `ISelectiveByCodec`."""
        check_codec(codec, Reply, "Naming")
        return self._session.gate

    def filter(self, message: Reply, link: Link) -> Answer:
        """See `IFilter`."""
        session = self._session
        if not session.gate.is_open or message.is_push or MONITORED.match(bytes(message)):
            return PASS_ON
        found = session.marks.found(message) if message.is_error else None
        if found is not None:
            (answer,) = found
            session.claim = answer if isinstance(answer, Claim) else None
            self._settle()
            return Send(answer) if isinstance(answer, Reply) else DO_NOTHING
        claim, session.claim = session.claim, None
        self._settle()
        return PASS_ON if claim is None or not is_accepted(claim, message) else self._identify(claim, message, link)

    def _settle(self) -> None:
        """Close the gate if nothing is waited for."""
        session = self._session
        session.gate.is_open = session.claim is not None or len(session.marks) > 0

    def _identify(self, claim: Claim, message: Reply, link: Link) -> Answer:
        """Give the link its name. The reply waits for that."""
        session = self._session
        if claim.user is not None:
            session.user = None if claim.user == DEFAULT_USER else claim.user
        name = session.user or claim.own
        if not name or name == link.client_name:
            return PASS_ON
        done: Deferred[None] = link.identify(name)
        return done.addCallbacks(lambda _: PASS_ON, _refused)


def _refused(failure: Failure) -> Verdict:
    """Close the link of a client that cannot have its name; it reads why, in place of the server's reply."""
    failure.trap(ConnectingError)
    return Close(failure.value, forward=[Reply.failure(f"ERR {failure.value}")])


def claim_of(name: str, arguments: Sequence[bytes]) -> Claim | None:
    """Return the name that a command claims; ``None`` if it claims no name."""
    if name == "AUTH" and 1 <= len(arguments) <= 2:
        return Claim(name, text_of(arguments[0]) if len(arguments) == 2 else DEFAULT_USER, None)
    if name == "CLIENT" and len(arguments) == 2 and is_word(arguments, b"SETNAME"):
        return Claim(name, None, text_of(arguments[1]))
    if name == "HELLO":
        return _claim_of_hello(arguments)
    return None


def _claim_of_hello(arguments: Sequence[bytes]) -> Claim | None:
    """Return the claim of ``HELLO version [AUTH user password] [SETNAME name]``."""
    user = own = None
    at = 1
    while at < len(arguments):
        if is_word(arguments[at:], b"AUTH") and at + 2 < len(arguments):
            user = text_of(arguments[at + 1])
            at += 3
        elif is_word(arguments[at:], b"SETNAME") and at + 1 < len(arguments):
            own = text_of(arguments[at + 1])
            at += 2
        else:  # the server will refuse it
            return None
    return None if user is None and own is None else Claim("HELLO", user, own)


def is_accepted(claim: Claim, reply: Reply) -> bool:
    """Return whether a reply says that the server has accepted a command. No message of a channel can look like it."""
    frame = bytes(reply)
    return SERVER_FIRST.match(frame) is not None if claim.by == "HELLO" else frame == OK


def is_word(arguments: Sequence[bytes], word: bytes) -> bool:
    """Return whether the first argument is a word, in whatever case."""
    return bool(arguments) and arguments[0].upper() == word


def text_of(name: bytes) -> str:
    """Return a name as text."""
    return name.decode(errors="surrogateescape")
