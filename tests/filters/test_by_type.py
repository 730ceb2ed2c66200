"""Tests of `ByType`."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sized
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional, Protocol, Union

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_repeater import DO_NOTHING, PASS_ON, IFilter, Send, SendBack, Verdict
from twisted_repeater.codecs import fixed, tagged
from twisted_repeater.dialects import int32
from twisted_repeater.filters import ByType, chain, selector_of
from twisted_repeater.testing import FilterHarness

LINK: Any = None
"""A link that no filter here looks at."""

if TYPE_CHECKING:
    from twisted_repeater import ILink


@dataclass
class Order:
    """A message."""

    size: int


class BigOrder(Order):
    """A kind of it."""


@dataclass
class Cancel:
    """Another message."""

    id: int


@dataclass
class Ping:
    """Another."""

    id: int


class Risk(ByType):
    """A filter with two methods."""

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def on_order(self, order: Order, link: ILink) -> Verdict:
        """Limit the size."""
        return PASS_ON if order.size <= self.limit else SendBack([Cancel(0)])

    async def on_rest(self, message: Cancel | Later, link: ILink) -> Verdict:
        """Answer later."""
        return Send(Ping(1))

    def once(self, message: Ping, link: ILink) -> Verdict:
        """Be no method for messages: the name does not say so."""
        raise AssertionError("not called")


class HasSize(Protocol):
    """What has a size."""

    size: int


class Later:
    """A class that is defined after the annotation that names it."""


CODEC = tagged({b"O": fixed(Order, size="B"), b"C": fixed(Cancel, id="B"), b"P": fixed(Ping, id="B")})


class MethodTests(SynchronousTestCase):
    """Each class of message has its method."""

    def test_interface(self) -> None:
        """It is a filter."""
        self.assertTrue(verifyObject(IFilter, Risk(1)))

    def test_by_annotation(self) -> None:
        """The annotation of the first parameter says which; what has no method passes on."""
        harness = FilterHarness(Risk(10), dialect=int32(to_server=CODEC, to_client=CODEC))
        harness.client_sends(Order(10)).expect(to_server=[Order(10)])
        harness.client_sends(Order(11)).expect(to_client=[Cancel(0)])
        harness.client_sends(Cancel(5)).expect(to_server=[Ping(1)])
        outcome = harness.client_sends(Ping(2))
        outcome.expect(to_server=[Ping(2)], verdicts=[])

    def test_subclass_of_a_message(self) -> None:
        """A message of a subclass goes to the method of its nearest base class."""

        class Both(ByType):
            def on_order(self, order: Order, link: Any) -> Verdict:
                return Send("order")

            def on_any(self, message: object, link: Any) -> Verdict:
                return Send("any")

        for _ in range(2):
            self.assertEqual(Both().filter(BigOrder(1), LINK), Send("order"))
            self.assertEqual(Both().filter(b"", LINK), Send("any"))

    def test_all_others(self) -> None:
        """``Any`` stands for all messages that have no method of their own."""

        class All(ByType):
            def on_order(self, order: Order, link: Any) -> Verdict:
                return PASS_ON

            def on_rest(self, message: Any, link: Any) -> Verdict:
                return DO_NOTHING

        FilterHarness(All()).client_sends(b"a").expect()
        self.assertIs(All().filter(Order(1), LINK), PASS_ON)

    def test_inherited(self) -> None:
        """Methods are inherited, and overridden."""

        class Stricter(Risk):
            def on_order(self, order: Order, link: Any) -> Verdict:
                return DO_NOTHING

            def on_ping(self, ping: Ping, link: Any) -> Verdict:
                return DO_NOTHING

        self.assertEqual(set(Stricter.own_methods()), {Order, Cancel, Later, Ping})
        self.assertEqual(set(Risk.own_methods()), {Order, Cancel, Later})
        self.assertIs(Stricter(5).filter(Order(1), LINK), DO_NOTHING)
        self.assertIs(Risk(5).filter(Order(1), LINK), PASS_ON)
        self.assertIs(Risk(5).filter(Ping(1), LINK), PASS_ON)

    def test_unions(self) -> None:
        """Unions may be written in every way."""

        class Three(ByType):
            def on_old(self, message: Union[Order, Ping], link: Any) -> Verdict:  # noqa: UP007
                return DO_NOTHING

            def on_optional(self, message: Optional[Cancel], link: Any) -> Verdict:  # noqa: UP045
                return DO_NOTHING

        self.assertEqual(set(Three.own_methods()), {Order, Ping, Cancel, type(None)})

    def test_decorated(self) -> None:
        """A method may be decorated."""

        def twice(method: Any) -> Any:
            @functools.wraps(method)
            def wrapped(self: Any, message: Any, link: Any) -> Any:
                method(self, message, link)
                return method(self, message, link)

            return wrapped

        class Counting(ByType):
            count = 0

            @twice
            def on_ping(self, ping: Ping, link: Any) -> Verdict:
                self.count += 1
                return PASS_ON

        counting = Counting()
        counting.filter(Ping(1), LINK)
        self.assertEqual(counting.count, 2)

    def test_decorated_elsewhere(self) -> None:
        """The annotation is read where the method was written, not where its decorator was."""
        decorators: dict[str, Any] = {"functools": functools}
        exec(
            "def logged(method):\n"
            "    @functools.wraps(method)\n"
            "    def wrapped(self, message, link):\n"
            "        return method(self, message, link)\n"
            "    return wrapped\n",
            decorators,
        )

        class Logging(ByType):
            @decorators["logged"]  # type: ignore[untyped-decorator]
            def on_order(self, order: Order, link: Any) -> Verdict:
                return DO_NOTHING

        self.assertIs(Logging().filter(Order(1), LINK), DO_NOTHING)

    def test_abstract(self) -> None:
        """An abstract base class takes the messages that are of it, before the method for all others does."""

        class Abstract(ByType):
            def on_mapping(self, message: Mapping[str, Any], link: Any) -> Verdict:
                return Send("mapping")

            on_mapping.__annotations__["message"] = Mapping

            def on_list(self, message: list, link: Any) -> Verdict:  # type: ignore[type-arg]
                return Send("list")

            def on_sized(self, message: Sized, link: Any) -> Verdict:
                return Send("sized")

            def on_rest(self, message: Any, link: Any) -> Verdict:
                return Send("rest")

        for message, told in (({}, "mapping"), ([], "list"), ("", "sized"), (5, "rest"), ({}, "mapping")):
            self.assertEqual(Abstract().filter(message, LINK), Send(told))

    def test_ambiguous(self) -> None:
        """A message of two abstract classes neither of which is nearer is an error, not a guess."""

        class Ambiguous(ByType):
            def on_sized(self, message: Sized, link: Any) -> Verdict:
                return PASS_ON

            def on_iterable(self, message: Iterable, link: Any) -> Verdict:  # type: ignore[type-arg]
                return PASS_ON

        class Both:
            def __len__(self) -> int:
                return 0

            def __iter__(self) -> Any: ...

        with self.assertRaisesRegex(RuntimeError, "Ambiguous dispatch"):
            Ambiguous().filter(Both(), LINK)

    def test_without_methods(self) -> None:
        """Without any, all passes on."""
        self.assertIs(ByType().filter(Order(1), LINK), PASS_ON)

    def test_in_a_chain(self) -> None:
        """It can be in a chain."""
        self.assertEqual(chain(Risk(1), Risk(2)).filter(Order(2), LINK), SendBack([Cancel(0)]))


class SelectorTests(SynchronousTestCase):
    """What it wants to see."""

    def test_by_the_codec(self) -> None:
        """It wants the messages that it has methods for, if the codec can tell them."""
        self.assertEqual(repr(selector_of(Risk(1), CODEC)), "first_byte(b'CO')")
        self.assertIsNone(selector_of(Risk(1), None))


class MistakeTests(SynchronousTestCase):
    """Mistakes in the annotations are told when the filter is first used, by the repeater at its start."""

    def check(self, cls: type[ByType], told: str) -> None:
        """Check the error about a class."""
        with self.assertRaisesRegex(TypeError, told):
            FilterHarness(cls())

    def test_no_annotation(self) -> None:
        """A method must state the class of its messages."""

        class Silent(ByType):
            def on_order(self, order, link):  # type: ignore[no-untyped-def]
                return PASS_ON

        class List(ByType):
            def on_order(self, order: list[int], link: Any) -> Verdict:
                return PASS_ON

        class Loose(ByType):
            def on_order(*everything: Any) -> Verdict:
                return PASS_ON

        for cls in (Silent, List, Loose):
            self.check(cls, r"on_order\(self, message: ..., link\): annotate the message with a class")

    def test_no_expression(self) -> None:
        """The error about an annotation that is not an expression names the method."""

        class Wrong(ByType):
            def on_order(self, order, link):  # type: ignore[no-untyped-def]
                return PASS_ON

            on_order.__annotations__["order"] = "Order if"

        self.check(Wrong, "on_order.*: ")

    def test_unknown_name(self) -> None:
        """The error about an annotation that names nothing names the method."""

        class Wrong(ByType):
            def on_order(self, order: NoSuchClass, link: Any) -> Verdict:  # type: ignore[name-defined]  # noqa: F821
                return PASS_ON

        class Misspelt(ByType):
            def on_order(self, order: functools.NoSuchClass, link: Any) -> Verdict:  # type: ignore[name-defined]
                return PASS_ON

        self.check(Wrong, "on_order.*: name 'NoSuchClass' is not defined")
        self.check(Misspelt, "on_order.*: module 'functools' has no attribute 'NoSuchClass'")

    def test_no_instances(self) -> None:
        """The error about a class that `isinstance` refuses names the method."""

        class OfProtocol(ByType):
            def on_any(self, message: HasSize, link: Any) -> Verdict:
                return PASS_ON

        self.check(OfProtocol, r"OfProtocol.on_any\(self, message: ..., link\) cannot recognize a HasSize")

    def test_class_twice(self) -> None:
        """No class may have two methods."""

        class Twice(ByType):
            def on_order(self, order: Order, link: Any) -> Verdict:
                return PASS_ON

            def on_new_order(self, order: Order | Cancel, link: Any) -> Verdict:
                return PASS_ON

        self.check(Twice, "Twice has two methods for Order")

    def test_never_there(self) -> None:
        """If no message can be of the classes of the methods, `start` raises an error."""
        with self.assertRaisesRegex(TypeError, "^to_server_filter: Risk wants Order or Cancel or Later; .* are bytes"):
            FilterHarness(Risk(1))
        FilterHarness(Risk(1), dialect=int32(to_server=fixed(Order, size="B"))).client_sends(Order(1))


class DeclarationTests(SynchronousTestCase):
    """Mistakes in what else there is to a method are told as the class is made."""

    def check(self, attribute: Any, told: str) -> None:
        """Check the error about a class with an attribute that is named like a method."""
        with self.assertRaisesRegex(TypeError, told):
            type("Wrong", (ByType,), {"on_order": attribute})

    def test_no_method(self) -> None:
        """An attribute that is named like a method must be a method."""
        wraps_none = functools.wraps(len)(lambda self, message, link: PASS_ON)
        for attribute in (5, None, staticmethod(len), property(len), wraps_none):
            self.check(attribute, r"Wrong.on_order must be a plain method for messages, not .*, or have a name")

    def test_arguments(self) -> None:
        """A method must take a message and a link."""

        def short(self: Any) -> None: ...

        def no_link(self: Any, order: Order) -> None: ...

        def more(self: Any, order: Order, link: Any, what: str) -> None: ...

        for attribute in (short, no_link, more):
            self.check(attribute, r"Wrong.on_order must take \(self, message: ..., link\), not \(self")

        def enough(self: Any, order: Order, link: Any, what: str = "") -> None: ...

        type("Right", (ByType,), {"on_order": enough})
