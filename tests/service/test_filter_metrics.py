"""What modules register with the default registry of ``prometheus_client``: seen, taken away, put back."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from twisted_repeater.service import filter_metrics

from ..modules import missing

try:
    from prometheus_client import REGISTRY, Counter
except ImportError:
    Counter = None  # type: ignore[assignment,misc]


def leave_registered(before: list[Any]) -> None:
    """Leave only these collectors in the registry."""
    there: list[Any] = filter_metrics.registered()
    for collector in there:
        if collector not in before:
            REGISTRY.unregister(collector)


class CollectorsTests(SynchronousTestCase):
    """The default registry of ``prometheus_client``."""

    def setUp(self) -> None:
        """Remember what is registered."""
        if Counter is None:
            raise SkipTest("prometheus_client is missing")
        self.before = filter_metrics.registered()
        self.addCleanup(leave_registered, self.before)

    def module(self, **names: Any) -> ModuleType:
        """Make a module with these names, known to Python until the end of the test."""
        module = ModuleType(f"tests_of_collectors_{len(names)}")
        vars(module).update(names)
        sys.modules[module.__name__] = module
        self.addCleanup(sys.modules.pop, module.__name__)
        return module

    def test_new(self) -> None:
        """What was registered since is what is new, in the order in which it was registered."""
        made = [Counter(name, "for a test") for name in ("test_b", "test_a")]
        self.assertEqual(filter_metrics.of_filters(self.before, []), made)
        self.assertEqual(filter_metrics.of_filters(filter_metrics.registered(), []), [])

    def test_of_others(self) -> None:
        """What a module that stays has, by a name or in a class, belongs to it; the rest belongs to the filters."""
        named, in_class, own = (Counter(f"test_{letter}", "for a test") for letter in "abc")
        self.module(named=named)
        self.module(first=1, holder=type("Holder", (), {"counter": in_class}))
        ours = self.module(first=1, second=2, own=own)
        self.assertEqual(filter_metrics.of_filters(self.before, [ours]), [own])

    def test_no_module(self) -> None:
        """What is among the modules without being one is left alone."""
        made = Counter("test_a", "for a test")
        modules: dict[str, Any] = sys.modules
        modules["tests_of_collectors"] = self
        self.addCleanup(modules.pop, "tests_of_collectors")
        self.assertEqual(filter_metrics.of_filters(self.before, []), [made])

    def test_away_and_back(self) -> None:
        """What is taken away can be registered by that name again, or put back; what is so already stays as it is."""
        made = Counter("test_a", "for a test")
        for _ in range(2):
            filter_metrics.unregister([made])
            self.assertEqual(filter_metrics.registered(), self.before)
        Counter("test_b", "for a test")
        for _ in range(2):
            filter_metrics.register([made])
            self.assertEqual(len(filter_metrics.registered()), len(self.before) + 2)

    def test_taken(self) -> None:
        """What cannot be put back, as its name is taken, is logged, and the others are put back."""
        first, second = Counter("test_a", "for a test"), Counter("test_b", "for a test")
        filter_metrics.unregister([first, second])
        Counter("test_a", "for a test")
        filter_metrics.register([first, second])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertIn(second, filter_metrics.registered())

    def test_not_loaded(self) -> None:
        """As long as nobody has imported ``prometheus_client`` there is nothing, and it is not imported."""
        missing(self, "prometheus_client")
        self.assertEqual(filter_metrics.registered(), [])
        self.assertEqual(filter_metrics.of_filters([], []), [])
        filter_metrics.unregister([object()])
