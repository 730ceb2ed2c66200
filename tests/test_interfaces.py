"""Tests of the interfaces: complete, documented, kept by the package's own providers."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import Attribute, implementer
from zope.interface.interface import InterfaceClass, Method
from zope.interface.verify import verifyObject

from twisted_repeater import interfaces
from twisted_repeater.codecs import RawCodec
from twisted_repeater.dialects.int32 import JSONHandshake
from twisted_repeater.framings.base import CheckedFraming
from twisted_repeater.framings.length import Int32Framing
from twisted_repeater.interfaces import ICodec, IFilter, IFraming, IHandshake
from twisted_repeater.verdicts import PASS_ON


@implementer(IFilter)
class PassingFilter:
    """The least filter there is."""

    def filter(self, message: Any, link: Any) -> Any:
        """Pass everything on."""
        return PASS_ON


class InterfaceTests(SynchronousTestCase):
    """What the parts owe each other."""

    def test_all_are_public(self) -> None:
        """Every interface can be imported by name."""
        own = [
            name
            for name, value in vars(interfaces).items()
            if isinstance(value, InterfaceClass) and value.__module__ == interfaces.__name__
        ]
        self.assertEqual(sorted(interfaces.__all__), sorted(own))

    def test_all_is_documented(self) -> None:
        """Each interface says what it is for; each method and each attribute says what it promises."""
        for name in interfaces.__all__:
            interface = getattr(interfaces, name)
            self.assertTrue(interface.__doc__, name)
            for member, description in interface.namesAndDescriptions():
                self.assertIsInstance(description, (Method, Attribute))
                self.assertTrue(description.__doc__, f"{name}.{member}")

    def test_providers(self) -> None:
        """What the package, or a user, provides verifies."""
        for interface, provider in (
            (IFilter, PassingFilter()),
            (ICodec, RawCodec()),
            (IFraming, Int32Framing(1)),
            (IFraming, CheckedFraming(Int32Framing(1))),
            (IHandshake, JSONHandshake(1)),
        ):
            self.assertTrue(verifyObject(interface, provider))
