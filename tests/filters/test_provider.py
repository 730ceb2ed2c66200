"""Tests of what can be given as a filter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypedDict

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer, provider

from twisted_repeater import DO_NOTHING, PASS_ON, IFilter
from twisted_repeater.codecs import RawCodec, TextCodec, text
from twisted_repeater.filters import chain
from twisted_repeater.filters._provider import (
    checked_answer,
    checked_classes,
    checked_function,
    checked_pair,
    common_selector,
    filter_function,
    filters_of,
    fixed_filters,
    guarded,
    is_pair,
    name_of,
    pass_on,
    selector_for_types,
    selector_of,
)
from twisted_repeater.interfaces import ICodec, ITypedCodec
from twisted_repeater.selectors import NOTHING, Selector, first_byte
from twisted_repeater.testing import FilterHarness

RAW = RawCodec()
LINK: Any = object()


@implementer(IFilter)
class Provider:
    """A filter with a selector of bytes."""

    selector = first_byte(b"O")

    def filter(self, message: Any, link: Any) -> Any:
        """See `IFilter`."""
        return ("seen", message)


class OfClasses(Provider):
    """A filter that asks the codec."""

    selector = None  # type: ignore[assignment]

    def __init__(self, *types: type) -> None:
        self.types = types

    def selector_for(self, codec: Any) -> Selector | None:
        """See `IFilter`."""
        return selector_for_types(self, self.types, codec)


class Callback:
    """A filter that is called."""

    def __call__(self, message: Any, link: Any) -> Any:
        """See `IFilter`."""
        return PASS_ON


@provider(IFilter)
class ItsOwn:
    """A class that is a filter itself."""

    @staticmethod
    def filter(message: Any, link: Any) -> Any:
        """See `IFilter`."""
        return PASS_ON


class Narrow:
    """A filter that forgot the link."""

    def __call__(self, message: Any) -> Any:
        """See `IFilter`."""
        return PASS_ON


@implementer(ITypedCodec)
class OfUnknown(RawCodec):
    """A codec that does not know the classes of its messages."""

    message_types = ()

    def selector_for(self, types: tuple[type, ...]) -> Selector | None:
        """See `ITypedCodec`."""
        return None


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

    def test_method(self) -> None:
        """So it is of any object with a method of that name, which need not know of the interface."""

        class Plain:
            def filter(self, message: Any, link: Any) -> Any:
                return DO_NOTHING

        provider = Plain()
        self.assertEqual(checked_function(provider), provider.filter)
        FilterHarness(provider).client_sends(b"one").expect()

    def test_neither(self) -> None:
        """Anything else is a ``TypeError``."""
        with self.assertRaisesRegex(TypeError, "a filter must be a function or an object with a method filter, not 5"):
            filter_function(5)

    def test_class(self) -> None:
        """A class instead of its instance is an error that says so, unless the class itself is a filter."""
        for cls in (Provider, Callback):
            with self.assertRaisesRegex(
                TypeError, rf"must be an instance, .* class {cls.__name__}: write {cls.__name__}\(\)"
            ):
                filter_function(cls)
        self.assertEqual(filter_function(ItsOwn), ItsOwn.filter)

    def test_arguments(self) -> None:
        """A filter must take a message and its link, if it has a signature."""
        for good in (plain, Provider(), Callback(), lambda *both: PASS_ON, {"a": PASS_ON}.get, ItsOwn):
            self.assertEqual(checked_function(good), filter_function(good))
        self.assertEqual(checked_function(iter), iter)  # which has no signature
        for bad, takes in ((lambda message: PASS_ON, "<lambda> takes \\(message\\)"), (Narrow(), "Narrow takes")):
            with self.assertRaisesRegex(TypeError, f"takes a message and its link, .*{takes}"):
                checked_function(bad)

    def test_answer(self) -> None:
        """An answer is a verdict, or a function like a filter."""
        for answer in (PASS_ON, plain):
            self.assertIs(checked_answer("answer", answer), answer)
        wrong: Any
        for wrong in (None, "PASS_ON", Narrow(), Callback):
            self.assertRaises(TypeError, checked_answer, "answer", wrong)

    def test_classes(self) -> None:
        """Classes must be such that it can be told what is of them."""
        self.assertEqual(checked_classes("it", [bytes, Sequence]), (bytes, Sequence))

        class HasSize(Protocol):
            size: int

        for wrong, told in (
            ("bytes", "it takes classes of messages, not 'bytes'"),
            (bytes | str, r"it takes classes of messages, not bytes \| str"),
            (HasSize, "it cannot recognize a HasSize: .*(runtime_checkable|issubclass)"),
            (TypedDict("Dict", {}), "it cannot recognize a Dict: TypedDict does not support"),  # type: ignore[operator]
        ):
            with self.assertRaisesRegex(TypeError, told):
                checked_classes("it", [bytes, wrong])

    def test_pass_on(self) -> None:
        """The simplest filter passes everything on."""
        self.assertIs(checked_function(pass_on)("any", LINK), PASS_ON)

    def test_name(self) -> None:
        """A filter is called as its function or its class."""
        self.assertEqual(name_of(plain), "plain")
        self.assertEqual(name_of(Provider()), "Provider")
        self.assertEqual(name_of(chain(plain, Provider())), "chain(plain, Provider)")

    def test_no_name(self) -> None:
        """One whose name cannot be asked for has a name that says so."""

        class Hidden:
            def __getattr__(self, name: str) -> Any:
                raise LookupError

        self.assertEqual(name_of(Hidden()), "<LookupError raised by its __qualname__>")


class SelectorTests(SynchronousTestCase):
    """What a filter wants to see."""

    def test_of_one(self) -> None:
        """It is an attribute, or depends on the codec, or everything."""
        self.assertIs(selector_of(Provider(), RAW), Provider.selector)
        self.assertIs(selector_of(OfClasses(), text()), NOTHING)
        self.assertIsNone(selector_of(OfClasses(), RAW))
        self.assertIsNone(selector_of(plain, RAW))
        self.assertIsNone(selector_of(None, None))

    def test_of_classes(self) -> None:
        """For classes it is the selector of the codec, or all if the codec has none."""
        codecs: list[tuple[ICodec, type]] = [(text(), str), (RAW, bytes)]
        for codec, made in codecs:
            for types in ((made,), (int, made), (object,), (type("Kind", (made,), {}),), (Sequence,)):
                self.assertIsNone(selector_of(OfClasses(*types), codec))
        for unknown in (None, OfUnknown()):
            self.assertIsNone(selector_of(OfClasses(int), unknown))

    def test_of_classes_that_never_come(self) -> None:
        """Classes that no message can be of are a mistake: nothing would ever be checked."""
        with self.assertRaisesRegex(TypeError, "^OfClasses wants int; the messages are str$"):
            selector_of(OfClasses(int), text())
        with self.assertRaisesRegex(TypeError, "^OfClasses wants int or str; the messages are bytes: .* no codec"):
            selector_of(OfClasses(int, str), RAW)
        namesake = type("str", (), {})
        with self.assertRaisesRegex(TypeError, r"wants tests\.filters\.test_provider\.str; the .* are builtins\.str$"):
            selector_of(OfClasses(namesake), text())

    def test_no_selector(self) -> None:
        """Something else than a selector is refused when it is asked for, not at the first message."""

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
                common_selector([OfClasses(), Provider()], codec)


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

    def test_that_keeps_its_bytes(self) -> None:
        """If decoded messages keep their bytes, and the codec says so, it sees what its selector wants of them."""

        class Kept:
            def __init__(self, data: bytes) -> None:
                self.data = data

            def __bytes__(self) -> bytes:
                return self.data

        class Keeping(TextCodec):
            keeps_bytes = True

        wanted, other = Kept(b"O1"), Kept(b"x")
        self.assertEqual(guarded(Provider())(wanted, LINK), ("seen", wanted))
        self.assertIs(guarded(Provider())(other, LINK), PASS_ON)
        self.assertIsNone(common_selector([plain, Provider()], Keeping("utf-8")))

    def test_of_decoded_messages_only(self) -> None:
        """A filter that refuses to work with bytes selects nothing by them."""

        class OfDecoded(Provider):
            def selector_for(self, codec: Any) -> Selector | None:
                if isinstance(codec, RawCodec):
                    raise TypeError("a codec is needed")
                return None

        self.assertEqual(guarded(OfDecoded())("O1", LINK), ("seen", "O1"))
        self.assertIsNone(common_selector([OfDecoded(), plain], text()))

    def test_wrong_arguments(self) -> None:
        """A filter among others is checked like one alone."""
        self.assertRaises(TypeError, guarded, Narrow())


class Both:
    """A pair of filters."""

    def __init__(self, made: Any = (None, None)) -> None:
        self.made = made

    def for_link(self, link: Any) -> Any:
        """Return whatever a test wants."""
        return self.made


class PairTests(SynchronousTestCase):
    """Objects that can be given as pairs of filters."""

    def test_pairs(self) -> None:
        """An object with a method ``for_link`` is a pair; a class is not one yet."""
        pair = Both()
        self.assertTrue(is_pair(pair))
        self.assertIs(checked_pair(pair), pair)
        for wrong, why in (
            (Both, "must be an instance, not the class Both: write Both\\(\\)$"),
            (7, "must be an object with a method for_link, not 7$"),
            (pass_on, "not .*, the filter of one direction: write FilterPair\\(to_server=...\\)$"),
            (Provider(), "the filter of one direction"),
        ):
            with self.assertRaisesRegex(TypeError, why):
                checked_pair(wrong)

    def test_not_a_filter(self) -> None:
        """A pair is not the filter of one direction, and the error says where it belongs."""
        with self.assertRaisesRegex(TypeError, "Both is a pair of filters, not .*: give it as filters="):
            filter_function(Both())

    def test_filters_of_a_link(self) -> None:
        """A pair must return two filters, or ``None`` in place of one."""
        for made in ((None, None), (pass_on, None), (None, Provider())):
            self.assertEqual(filters_of(Both(made), LINK), made)
        for wrong in (None, (), (None,), [None, None], (None, 7), (Provider, None)):
            self.assertRaises(TypeError, filters_of, Both(wrong), LINK)

    def test_fixed_filters(self) -> None:
        """A pair of somebody else has none that are known before there is a link."""
        self.assertEqual(list(fixed_filters(Both())), [])
