"""`answered`, the pair."""

from __future__ import annotations

from typing import Any

from zope.interface.verify import verifyObject

from twisted_repeater import DROP, PASS_ON, Direction, IFilterPair, Verdict
from twisted_repeater.dialects.mqtt import PubAck, Publish, PubRec, PubRel, answered
from twisted_repeater.filters import FilterPair
from twisted_repeater.filters._provider import fixed_filters

from .answered_case import AnsweredCase, no_secrets


class AnsweredTests(AnsweredCase):
    """The pair."""

    def test_interface(self) -> None:
        """It is a pair, which names the filter inside."""
        pair = answered(no_secrets)
        verifyObject(IFilterPair, pair)
        self.assertIn("no_secrets", repr(pair))
        self.assertEqual(list(fixed_filters(pair)), [(Direction.TO_SERVER, no_secrets)])

    def test_wrong(self) -> None:
        """Wrong arguments are named."""
        self.assertRaises(TypeError, answered, 3)
        self.assertRaises(TypeError, answered, answered(no_secrets))
        error = self.assertRaises(ValueError, answered, no_secrets, before_5="never")
        self.assertIn("acknowledge or close, not 'never'", str(error))

    def test_takes_over(self) -> None:
        """The pair in it takes over from the one before it, which may be in another such pair or not."""

        class Successor(FilterPair):
            before: object = None

            def migrate(self, old: object) -> None:
                self.before = old

        olds: tuple[Any, ...] = (FilterPair(no_secrets), answered(FilterPair(no_secrets)))
        for old in olds:
            new = Successor(no_secrets)
            answered(new).migrate(old)
            self.assertIs(new.before, getattr(old, "inner", old))

    def test_replaced(self) -> None:
        """When filters are replaced the exchanges go on, and what is inside takes over, too."""
        taken: list[object] = []

        class Inner:
            def filter(self, message: Any, link: Any) -> Verdict:
                return DROP if message == Publish("a", b"", 2, packet_id=7) else PASS_ON

            def migrate(self, old: object) -> None:
                taken.append(old)

        class Pair:
            def for_link(self, link: Any) -> Any:
                return Inner(), None

        run = self.link(Pair(), 4)
        run.client_sends(Publish("a", b"", 2, packet_id=7)).expect(to_client=[PubRec(7)])
        run.repeater.replace_filters(filters=answered(Pair()))
        self.assertEqual(len(taken), 1)
        run.client_sends(PubRel(7))
        self.assertEqual(run.client.received[-1].packet_id, 7)  # answered from here
        run.repeater.replace_filters(filters=answered(FilterPair(no_secrets)))
        run.client_sends(Publish("secret", b"", 1, packet_id=8)).expect(to_client=[PubAck(8)])
