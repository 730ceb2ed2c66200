"""A link in memory with a filter in `answered`, for its tests."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import DROP, PASS_ON, Answer
from twisted_repeater.dialects.mqtt import ConnAck, Connect, Properties, Property, Publish, answered, mqtt
from twisted_repeater.filters import FilterPair
from twisted_repeater.testing import FilterHarness

ALIASES = Properties([(Property.TOPIC_ALIAS_MAXIMUM, 10)])


def no_secrets(message: Any, link: Any) -> Answer:
    """Drop secrets."""
    return DROP if isinstance(message, Publish) and message.topic.startswith("secret") else PASS_ON


BOTH = FilterPair(no_secrets, no_secrets)


class AnsweredCase(SynchronousTestCase):
    """A link with a filter."""

    def link(
        self, provider: Any, version: int = 5, properties: Properties | None = None, **options: Any
    ) -> FilterHarness:
        """Return a link whose client has connected."""
        own = properties if properties is not None else ALIASES if version == 5 else Properties()
        pair = provider if hasattr(provider, "before_5") or options.pop("ready", False) else answered(provider)
        says = Connect("ann", version=version, properties=own)
        run = FilterHarness(filters=pair, dialect=mqtt(), says=[says])
        run.opened.expect(to_server=[says])
        answer = ConnAck(properties=own)
        run.server_sends(answer).expect(to_client=[answer])
        return run
