"""What the engine is asked about a name, by what a node knows of it."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.model import SameName
from twisted_repeater.redis_fleet._name import Name


class QuestionTests(SynchronousTestCase):
    """Of a name it is known who wants it, and what the engine knows."""

    def question(self, same_name: SameName = SameName.REFUSE, **known: Any) -> Any:
        """Return what the engine is asked about a name that a client has got at 2, when it is 5."""
        name = Name(same_name)
        name.since = 2.0
        for attribute, value in known.items():
            setattr(name, attribute, value)
        return name.question(5.0)

    def test_wanted(self) -> None:
        """A name is claimed for those who wait, and claimed again for those who had it, by the age of their link."""
        self.assertEqual(self.question(claimers=1), ("claim", 0))
        self.assertEqual(self.question(users=1), ("older", 3000))
        self.assertEqual(self.question(SameName.REPLACE, users=1, claimers=1), ("younger", 3000))
        self.assertEqual(self.question(SameName.SHARE, users=1), ("join", 0))

    def test_lost(self) -> None:
        """Who has lost it to another node does not get it back, but those who wait may get it."""
        self.assertIsNone(self.question(users=1, lost=True))
        self.assertEqual(self.question(users=1, claimers=1, lost=True), ("claim", 0))

    def test_known(self) -> None:
        """Nothing is asked about a name that the engine knows, and nobody has released."""
        self.assertIsNone(self.question(users=1, fence=7))
        self.assertIsNone(self.question(SameName.SHARE, claimers=1, fence=1))
        self.assertEqual(self.question(SameName.REPLACE, users=1, fence=7, is_newer=True), ("younger", 3000))

    def test_not_wanted(self) -> None:
        """A name that nobody wants is released, by its fence, or whatever it is if that is not known."""
        self.assertEqual(self.question(fence=7), ("release", 7))
        self.assertEqual(self.question(in_doubt=True), ("release", 0))
        self.assertEqual(self.question(SameName.SHARE, in_doubt=True), ("part", 0))
        self.assertIsNone(self.question())

    def test_answers(self) -> None:
        """Whoever waits for an answer gets the next one."""
        name = Name(SameName.REFUSE)
        name.answers = [Deferred(), Deferred()]
        first, second = name.answers
        name.answer("free")
        name.answer("held")
        self.assertEqual((self.successResultOf(first), self.successResultOf(second)), ("free", "free"))
