"""What a node knows of a name: who wants it here, and what the engine knows of it."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from ..model import SameName

__all__ = ["Name"]

ANY = 0
"""The fence in a release of whatever this node holds."""

AGAIN: dict[SameName, str] = {SameName.REFUSE: "older", SameName.REPLACE: "younger"}
"""Of two links of a name, which one keeps it when a claim is made again."""


class Name:
    """A name that somebody here wants, or that the engine may know as this node's.

    Attributes:
        same_name: what becomes of a newcomer if the name is taken.
        users: how many clients have got it.
        claimers: how many clients wait for it.
        since: when the latest client has got it.
        is_newer: whether the engine takes the latest client's link for older than it is.
        fence: the number of the claim; ``None`` if the engine is not known to have it.
        in_doubt: whether the engine may have it all the same.
        lost: whether another node has got it from the users.
        gone: the highest fence of which the engine has said that it is lost.
        answers: who waits for the next answer about it. They get ``None`` if there is none.
    """

    __slots__ = ("answers", "claimers", "fence", "gone", "in_doubt", "is_newer", "lost", "same_name", "since", "users")

    def __init__(self, same_name: SameName) -> None:
        self.same_name = same_name
        self.users = 0
        self.claimers = 0
        self.since = 0.0
        self.is_newer = False
        self.fence: int | None = None
        self.in_doubt = False
        self.lost = False
        self.gone = 0
        self.answers: list[Deferred[Any]] = []

    @property
    def is_wanted(self) -> bool:
        """Whether somebody here has it or waits for it."""
        return bool(self.users or self.claimers)

    @property
    def is_known(self) -> bool:
        """Whether the engine has it, or may have it."""
        return self.fence is not None or self.in_doubt

    def question(self, now: float) -> tuple[str, int] | None:
        """Return what the engine is to be asked about it; ``None`` if nothing."""
        shared = self.same_name is SameName.SHARE
        if not self.is_wanted:
            if not self.is_known:
                return None
            return ("part", 0) if shared else ("release", ANY if self.fence is None else self.fence)
        if self.fence is not None and not self.is_newer:
            return None
        if shared:
            return "join", 0
        if self.users and not self.lost:
            return AGAIN[self.same_name], round((now - self.since) * 1000)
        return ("claim", 0) if self.claimers else None

    def answer(self, answer: Any) -> None:
        """Tell everybody who waits for an answer."""
        answers, self.answers = self.answers, []
        for waiting in answers:
            waiting.callback(answer)
