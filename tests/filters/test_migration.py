"""Filters that take over the state of those before them."""

from __future__ import annotations

import functools
import sys
from types import ModuleType
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import PASS_ON, Verdict
from twisted_repeater.filters import chain, wants
from twisted_repeater.filters._migration import hand_over, hand_over_by_name
from twisted_repeater.selectors import first_byte

calls: list[Any] = []


def migrate(old: Any) -> None:
    """Take over for the filters of this module that have no method."""
    calls.append(old)


def plain(message: bytes, link: Any) -> Verdict:
    """Be a function."""
    return PASS_ON


class Silent:
    """A filter without a way to take over."""

    def __call__(self, message: bytes, link: Any) -> Verdict:
        return PASS_ON


class Stateful(Silent):
    """A filter with a way."""

    before: Any = None

    def migrate(self, old: Any) -> Any:
        """Keep the one before."""
        self.before = old


class Other(Stateful):
    """Another."""


class HandOverTests(SynchronousTestCase):
    """`hand_over`."""

    def setUp(self) -> None:
        """Forget what was called."""
        calls.clear()

    def other_module(self, **names: Any) -> str:
        """Make a module."""
        module = ModuleType("another_module_of_filters")
        vars(module).update(names)
        sys.modules[module.__name__] = module
        self.addCleanup(sys.modules.pop, module.__name__, None)
        return module.__name__

    def test_method(self) -> None:
        """The method of a filter is called, and nothing else."""
        new, old = Stateful(), Stateful()
        hand_over(new, old, __name__)
        self.assertIs(new.before, old)
        self.assertEqual(calls, [])

    def test_function_of_its_module(self) -> None:
        """Without one it is the function of the module, whatever kind of filter it is."""
        for new in (plain, Silent(), functools.cache(plain), wants(first_byte(b"O"))(plain), chain(plain)):
            hand_over(new, plain)
        self.assertEqual(calls, [plain] * 5)

    def test_function_of_the_module_that_is_named(self) -> None:
        """That of the module that was named comes first; a module without one is skipped."""
        taken: list[Any] = []
        for new in (plain, Silent(), functools.partial(plain)):
            hand_over(new, "old", self.other_module(migrate=taken.append))
        self.assertEqual((taken, calls), (["old"] * 3, []))
        for name in (self.other_module(), self.other_module(migrate="no function"), "no.such.module"):
            hand_over(plain, name, name)
        self.assertEqual(len(calls), 3)

    def test_no_way(self) -> None:
        """A filter without a way to take over begins empty."""
        hand_over(functools.partial(plain), "old")
        self.assertEqual(calls, [])

    def test_later(self) -> None:
        """Who would take over later is an error: nothing waits for it."""

        class Later(Silent):
            def __init__(self, result: Any) -> None:
                self.result = result

            def migrate(self, old: Any) -> Any:
                return self.result

        async def coroutine() -> None:
            raise AssertionError("it is not begun")

        for result, kind in ((coroutine(), "coroutine"), (Deferred(), "Deferred"), (succeed(None), "Deferred")):
            error = self.assertRaises(TypeError, hand_over, Later(result), Silent())
            self.assertRegex(str(error), rf"^migrate must be done when it returns, for \S+Later it returned a {kind}$")
        hand_over(Later(7), Silent())


class ByNameTests(SynchronousTestCase):
    """`hand_over_by_name`."""

    def test_same_names(self) -> None:
        """Those of a name take over from those of that name, in order; who is new, or gone, is nobody's business."""
        old = [Stateful(), Other(), Stateful(), Silent()]
        new = [Other(), Stateful(), Other(), Stateful(), Stateful()]
        hand_over_by_name(new, old)
        self.assertEqual([member.before for member in new], [old[1], old[0], None, old[2], None])
