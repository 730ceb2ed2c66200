"""Tests of what can be given as a filter."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from twisted_repeater import PASS_ON, IFilter
from twisted_repeater.codecs import RawCodec
from twisted_repeater.filters._provider import (
    common_selector,
    filter_function,
    guarded,
    name_of,
    selector_for_types,
    selector_of,
)
from twisted_repeater.selectors import NOTHING, Selector, first_byte
from twisted_repeater.text_codec import text

RAW = RawCodec()
LINK: Any = object()


@implementer(IFilter)
class Provider:
    """A filter with a selector of bytes."""

    selector = first_byte(b"O")

    def filter(self, message: Any, link: Any) -> Any:
        """See `IFilter`."""
        return ("seen", message)


class OfText(Provider):
    """A filter that asks the codec."""

    selector = None  # type: ignore[assignment]

    def selector_for(self, codec: Any) -> Selector | None:
        """See `IFilter`."""
        return selector_for_types((int,), codec)


def plain(message: Any, link: Any) -> Any:
    """A filter without wishes."""
    return PASS_ON


class FunctionTests(SynchronousTestCase):
    """The function of a filter."""

    def test_function(self) -> None:
        """A function is its own."""
        self.assertIs(filter_function(plain), plain)

    def test_provider(self) -> None:
        """Of a provider it is the method."""
        provider = Provider()
        self.assertEqual(filter_function(provider), provider.filter)

    def test_neither(self) -> None:
        """Anything else is a ``TypeError``."""
        with self.assertRaisesRegex(TypeError, "IFilter or be callable, 5 is neither"):
            filter_function(5)

    def test_name(self) -> None:
        """A filter is called as its function or its class."""
        self.assertEqual(name_of(plain), "plain")
        self.assertEqual(name_of(Provider()), "Provider")


class SelectorTests(SynchronousTestCase):
    """What a filter wants to see."""

    def test_of_one(self) -> None:
        """It is an attribute, or depends on the codec, or everything."""
        self.assertIs(selector_of(Provider(), RAW), Provider.selector)
        self.assertIs(selector_of(OfText(), text()), NOTHING)
        self.assertIsNone(selector_of(OfText(), RAW))
        self.assertIsNone(selector_of(plain, RAW))
        self.assertIsNone(selector_of(None, None))

    def test_no_selector(self) -> None:
        """What is no selector is refused when it is asked for, rather than at the first message."""

        class Wrong(Provider):
            selector: Any = "first byte"

        with self.assertRaisesRegex(TypeError, "must be a Selector"):
            selector_of(Wrong(), RAW)

    def test_of_several(self) -> None:
        """Of several it is what any of them wants; everything, if one wants that."""
        self.assertEqual(repr(common_selector([Provider(), Provider()], RAW)), "(first_byte(b'O') | first_byte(b'O'))")
        self.assertIsNone(common_selector([Provider(), plain], RAW))
        self.assertIs(common_selector([], RAW), NOTHING)

    def test_by_bytes_among_others(self) -> None:
        """Where messages are decoded, a filter among others cannot tell by the bytes."""
        for codec in (text(), None):
            with self.assertRaisesRegex(TypeError, "Provider selects messages by their bytes"):
                common_selector([OfText(), Provider()], codec)


class GuardTests(SynchronousTestCase):
    """A filter among others."""

    def test_sees_its_own(self) -> None:
        """It sees what its selector wants, the rest passes on; whatever holds the bytes."""
        ask = guarded(Provider())
        for message in (b"O1", bytearray(b"O1"), memoryview(b"O1")):
            self.assertEqual(ask(message, LINK), ("seen", message))
        self.assertIs(ask(b"x", LINK), PASS_ON)

    def test_without_selector(self) -> None:
        """A filter without a selector is not touched."""
        self.assertIs(guarded(plain), plain)

    def test_decoded(self) -> None:
        """A decoded message is a ``TypeError``: its bytes are gone."""
        self.assertRaises(TypeError, guarded(Provider()), "O1", LINK)
