"""Topic aliases."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.mqtt.aliases import Aliases

messages = st.lists(st.tuples(st.integers(1, 3), st.sampled_from(["", "a", "b"]), st.booleans()))


class AliasTests(SynchronousTestCase):
    """Aliases."""

    def test_limit(self) -> None:
        """An alias above the limit, or that was not given, stands for no topic."""
        aliases = Aliases(2)
        self.assertIsNone(aliases.topic_of(1, ""))
        self.assertIsNone(aliases.topic_of(3, "a"))
        self.assertEqual(aliases.topic_of(2, "a"), "a")
        self.assertEqual(aliases.topic_of(2, ""), "a")

    @given(messages)
    def test_receiver(self, messages: list[tuple[int, str, bool]]) -> None:
        """Whatever is dropped, the receiver finds the topic that the sender meant."""
        aliases = Aliases(3)
        at_sender: dict[int, str] = {}
        at_receiver: dict[int, str] = {}
        for alias, topic, is_dropped in messages:
            if topic:
                at_sender[alias] = topic
            meant = at_sender.get(alias)
            self.assertEqual(aliases.topic_of(alias, topic), meant)
            if meant is not None and not is_dropped:
                written = topic if aliases.tell(alias, meant, in_message=bool(topic)) else meant
                if written:
                    at_receiver[alias] = written
                self.assertEqual(at_receiver[alias], meant)
