"""Tests of what the codecs of known classes have in common."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_repeater.codecs._typed import TypedCodec, in_path
from twisted_repeater.interfaces import ITypedCodec
from twisted_repeater.selectors import NOTHING, Selector, first_byte


class Animal:
    """A base class."""


class Dog(Animal):
    """A message."""


class Puppy(Dog):
    """A kind of it."""


class Cat(Animal):
    """Another message."""


class PetCodec(TypedCodec[Any]):
    """A codec that recognizes its two classes by their first byte."""

    message_types = (Dog, Cat)

    def selector_of_some(self, types: list[type]) -> Selector:
        """See `TypedCodec`."""
        return first_byte(b"".join(cls.__name__[:1].encode() for cls in types))


class TypedCodecTests(SynchronousTestCase):
    """The base class."""

    def test_interface(self) -> None:
        """It is a codec with known classes."""
        self.assertTrue(verifyObject(ITypedCodec, PetCodec()))

    def test_to_be_overridden(self) -> None:
        """Subclasses decode and encode."""
        self.assertRaises(NotImplementedError, PetCodec().decode, b"")
        self.assertRaises(NotImplementedError, PetCodec().encode, Dog())

    def test_selector_for_all(self) -> None:
        """There is no selector if all classes are wanted, or a base of all."""
        self.assertIsNone(PetCodec().selector_for((Dog, Cat)))
        self.assertIsNone(PetCodec().selector_for((Animal,)))
        self.assertIsNone(PetCodec().selector_for((object,)))

    def test_selector_for_some(self) -> None:
        """For some of the classes it is the codec's."""
        self.assertEqual(repr(PetCodec().selector_for((Dog,))), "first_byte(b'D')")
        self.assertEqual(repr(PetCodec().selector_for((str, Cat))), "first_byte(b'C')")

    def test_selector_for_a_subclass(self) -> None:
        """Messages of a class may be of its subclasses, so that they are wanted too."""
        self.assertEqual(repr(PetCodec().selector_for((Puppy,))), "first_byte(b'D')")

    def test_selector_for_none(self) -> None:
        """Where no message can be of a wanted class, nothing is wanted."""
        self.assertIs(PetCodec().selector_for((str,)), NOTHING)
        self.assertIs(PetCodec().selector_for(()), NOTHING)

    def test_unknown_classes(self) -> None:
        """A codec that does not know its classes, or cannot tell them, has no selector."""

        class Unknown(TypedCodec[Any]):
            message_types = ()

        class Silent(TypedCodec[Any]):
            message_types = (Dog, Cat)

        self.assertIsNone(Unknown().selector_for((Dog,)))
        self.assertIsNone(Silent().selector_for((Dog,)))

    def test_wrong_type(self) -> None:
        """The error about a message of another class says what was expected."""
        self.assertEqual(str(PetCodec().wrong_type("woof")), "expected Dog or Cat, got str")


class PathTests(SynchronousTestCase):
    """Paths of fields."""

    def test_paths(self) -> None:
        """Names are joined by dots, indexes stand in brackets."""
        self.assertEqual(in_path("", "price"), "price")
        self.assertEqual(in_path("legs[2]", "price"), "legs[2].price")
        self.assertEqual(in_path("legs", "[2]"), "legs[2]")
