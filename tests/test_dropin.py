"""``twistd`` finds the repeater."""

from __future__ import annotations

from typing import Any

from twisted.application.service import IServiceMaker
from twisted.plugin import IPlugin, getPlugins
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_repeater.service import tap


class DropinTests(SynchronousTestCase):
    """The plugin."""

    def test_found(self) -> None:
        """It is found once, provides what twistd asks for, and leads to the options and the service."""
        makers: list[Any] = [maker for maker in getPlugins(IServiceMaker) if maker.tapname == "repeater"]
        self.assertEqual(len(makers), 1)
        verifyObject(IServiceMaker, makers[0])
        verifyObject(IPlugin, makers[0])
        self.assertIs(makers[0].options, tap.Options)
        self.assertIs(makers[0].makeService, tap.makeService)
        self.assertTrue(makers[0].description)
