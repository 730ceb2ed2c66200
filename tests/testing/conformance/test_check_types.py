"""Codecs that are wrong about the classes of their messages are found out."""

from __future__ import annotations

from typing import Any, Protocol

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.codecs._typed import TypedCodec
from twisted_repeater.selectors import Selector, contains, first_byte, predicate
from twisted_repeater.testing import ConformanceError
from twisted_repeater.testing.conformance._check_types import TypesCheck


class Named(Protocol):
    """What some messages are like, which cannot be asked of one."""


class Pet:
    """A base of messages."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Dog(Pet, Named):
    """A message."""


class Cat(Pet):
    """Another."""


class Pets(TypedCodec[Any]):
    """A codec whose messages begin with the letter of their class."""

    message_types: Any = (Dog, Cat)

    def selector_of_some(self, types: list[type]) -> Selector:
        """See `TypedCodec`."""
        return first_byte(b"".join(cls.__name__[:1].encode() for cls in types))


class Same(Pets):
    """One that knows a class only when it is named."""

    def selector_for(self, types: tuple[type, ...]) -> Selector | None:
        """See `ITypedCodec`."""
        return first_byte(b"".join(cls.__name__[:1].encode() for cls in types))


def with_selector(selector: Any) -> Pets:
    """Make a codec that gives this for all classes."""
    broken: Pets = type("Broken", (Pets,), {"selector_for": lambda self, types: selector})()
    return broken


class TypesTests(SynchronousTestCase):
    """Classes and selectors."""

    def told(self, codec: Any, message: Any = None, payload: bytes = b"D1") -> str:
        """Return the complaint about a message that a payload decodes to."""
        error = self.assertRaises(ConformanceError, TypesCheck(codec).decoded, message or Dog(), payload)
        return str(error)

    def test_good_ones(self) -> None:
        """A codec that is right passes, and so does one that cannot tell."""
        for codec in (Pets(), with_selector(None), type("Any", (Pets,), {"message_types": ()})()):
            check = TypesCheck(codec)
            check.known()
            for message, payload in ((Dog(), b"D1"), (Cat(), b"C")):
                check.given(message)
                check.decoded(message, payload)

    def test_message_types(self) -> None:
        """The classes must be a tuple of all."""
        for types in ([Dog], Dog, (Dog, "Cat"), None):
            check = TypesCheck(type("Pets", (Pets,), {"message_types": types})())
            told = str(self.assertRaises(ConformanceError, check.known))
            self.assertEqual(told, f"Pets: message_types must be a tuple of classes, not {types!r}")
        only_dogs = type("Pets", (Pets,), {"message_types": (Dog,)})()
        self.assertEqual(
            str(self.assertRaises(ConformanceError, TypesCheck(only_dogs).given, Cat())),
            "Pets: Cat(), which it must carry, must be of one of its message_types, Dog",
        )
        self.assertEqual(
            self.told(only_dogs, Cat(), b"C"),
            "Pets: Cat(), decoded from b'C', must be of one of its message_types, Dog",
        )

    def test_missed(self) -> None:
        """A selector must not miss a payload, neither for the class of its message nor for a base of that."""
        self.assertEqual(
            self.told(with_selector(first_byte(b"CX"))),
            "Broken: the selector for Dog, first_byte(b'CX'), misses b'D1', which decodes to Dog()",
        )
        self.assertEqual(
            self.told(Same()), "Same: the selector for Pet, first_byte(b'P'), misses b'D1', which decodes to Dog()"
        )

    def test_offsets(self) -> None:
        """It is asked about a payload between others, too."""

        class AtTheBeginning(Selector):
            def matches(self, data: bytes, start: int, stop: int) -> bool:
                return data[:1] == b"D"

        self.assertRegex(self.told(with_selector(AtTheBeginning())), r"the selector for Dog, .* misses b'D1'")
        TypesCheck(with_selector(contains([b"D"]))).decoded(Dog(), b"D1")

    def test_no_selector(self) -> None:
        """What is no selector, or raises, is complained about."""
        self.assertEqual(
            self.told(with_selector(b"D")),
            "Broken: selector_for must return a Selector or None for Dog, not b'D'",
        )
        raising = type("Broken", (Pets,), {"selector_for": lambda self, types: 1 // 0})()
        self.assertRegex(self.told(raising), "Broken: selector_for raised ZeroDivisionError: .* for Dog")
        selector = predicate(lambda payload: 1 // 0)
        self.assertRegex(
            self.told(with_selector(selector)),
            r"Broken: the selector predicate\(.*\) raised ZeroDivisionError: .* for b'D1'",
        )
