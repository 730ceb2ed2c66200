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
        """Remember the registered metrics."""
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
        """The metrics registered since then are new, in the order in which they were registered."""
        made = [Counter(name, "for a test") for name in ("test_b", "test_a")]
        self.assertEqual(filter_metrics.of_filters(self.before, []), made)
        self.assertEqual(filter_metrics.of_filters(filter_metrics.registered(), []), [])

    def test_of_others(self) -> None:
        """A metric that a module that stays has, by a name or in a class, is its own; others belong to the filters."""
        named, in_class, own = (Counter(f"test_{letter}", "for a test") for letter in "abc")
        self.module(named=named)
        self.module(first=1, holder=type("Holder", (), {"counter": in_class}))
        ours = self.module(first=1, second=2, own=own)
        self.assertEqual(filter_metrics.of_filters(self.before, [ours]), [own])

    def test_no_module(self) -> None:
        """Objects among the modules that are not modules are left alone."""
        made = Counter("test_a", "for a test")
        modules: dict[str, Any] = sys.modules
        modules["tests_of_collectors"] = self
        self.addCleanup(modules.pop, "tests_of_collectors")
        self.assertEqual(filter_metrics.of_filters(self.before, []), [made])

    def test_away_and_back(self) -> None:
        """The name of a removed metric is free, and the metric can be restored; to repeat either changes nothing."""
        made = Counter("test_a", "for a test")
        for _ in range(2):
            filter_metrics.unregister([made])
            self.assertEqual(filter_metrics.registered(), self.before)
        Counter("test_b", "for a test")
        for _ in range(2):
            filter_metrics.register([made])
            self.assertEqual(len(filter_metrics.registered()), len(self.before) + 2)

    def test_taken(self) -> None:
        """A metric that cannot be restored, because its name is taken, is logged, and the others are restored."""
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
