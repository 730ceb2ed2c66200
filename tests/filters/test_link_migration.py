"""The filters of a link take over from those before them."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import succeed
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import PASS_ON, Verdict
from twisted_repeater.filters import chain, in_order
from twisted_repeater.filters._link_migration import hand_over_link
from twisted_repeater.filters._provider import filters_of

from .successors import Also, Kept

LINK: Any = None


class Both:
    """An object of one link whose methods are its filters."""

    def __init__(self) -> None:
        self.before: list[Any] = []

    def to_server(self, message: bytes, link: Any) -> Verdict:
        """Be a filter."""
        return PASS_ON

    def to_client(self, message: bytes, link: Any) -> Verdict:
        """Be a filter."""
        return PASS_ON

    def migrate(self, old: Any) -> None:
        """Take over."""
        self.before.append(old)


def plain(message: bytes, link: Any) -> Verdict:
    """Have nothing to take over."""
    return PASS_ON


class HandOverLinkTests(SynchronousTestCase):
    """`hand_over_link`."""

    def test_alone(self) -> None:
        """A filter takes over from the one of its direction, whatever its name."""
        new, old, other = Kept(), Also(), Kept()
        hand_over_link((new, plain), (old, plain), ())
        hand_over_link((None, other), (old, None), ())
        self.assertEqual((new.before, other.before), (old, None))

    def test_methods(self) -> None:
        """The object that both filters are methods of takes over once, from the object before it."""
        new, old = Both(), Both()
        hand_over_link((new.to_server, new.to_client), (old.to_server, old.to_client), ())
        self.assertEqual(new.before, [old])

    def test_chains(self) -> None:
        """In chains each takes over from the one of its name."""
        new = [Also(), Kept()]
        old: list[Any] = [Kept(), plain, Also()]
        hand_over_link((chain(*new), None), (chain(chain(*old[:2]), old[2]), None), ())
        self.assertEqual([each.before for each in new], [old[2], old[0]])
        lonely = Kept()
        hand_over_link((lonely, None), (chain(*old), None), ())
        self.assertIs(lonely.before, old[0])

    def test_shared(self) -> None:
        """Filters that all links share stay as they are."""
        new, old = Kept(), Kept()
        hand_over_link((new, None), (old, None), {id(new)})
        self.assertIsNone(new.before)

    def test_inside_in_order(self) -> None:
        """The filters in `in_order` take over too."""

        class Pair:
            def for_link(self, link: Any) -> Any:
                made.append(Both())
                return (made[-1].to_server, made[-1].to_client)

        made: list[Both] = []
        pairs = [in_order(Pair(), ends_answer=bool, asks=bool) for _ in range(2)]
        old, new = (filters_of(pair, LINK) for pair in pairs)
        hand_over_link(new, old, ())
        self.assertEqual(made[1].before, [made[0]])

    def test_later(self) -> None:
        """It must be done at once."""
        new: Any = Kept()
        new.migrate = lambda old: succeed(None)
        self.assertRaises(TypeError, hand_over_link, (new, None), (plain, None), ())
