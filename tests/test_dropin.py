"""``twistd`` finds the repeater."""

from __future__ import annotations

import signal
from importlib import import_module
from typing import Any

from twisted.application.service import IServiceMaker
from twisted.plugin import IPlugin, getPlugins
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_repeater.service import tap

dropin: Any = import_module("twisted.plugins.repeater_dropin")


class DropinTests(SynchronousTestCase):
    """The plugin."""

    def setUp(self) -> None:
        """Have the usual handler of SIGHUP, until the end of the test."""
        self.addCleanup(signal.signal, signal.SIGHUP, signal.signal(signal.SIGHUP, signal.SIG_DFL))

    def test_found(self) -> None:
        """It is found once, provides what twistd asks for, and leads to the options and the service."""
        makers: list[Any] = [maker for maker in getPlugins(IServiceMaker) if maker.tapname == "repeater"]
        self.assertEqual(len(makers), 1)
        verifyObject(IServiceMaker, makers[0])
        verifyObject(IPlugin, makers[0])
        self.assertIs(makers[0].options, tap.Options)
        self.assertIs(makers[0].makeService, tap.makeService)
        self.assertTrue(makers[0].description)

    def test_hangup(self) -> None:
        """SIGHUP is remembered from then on, where it would kill the process or is ignored; other handlers stay."""
        for before in (signal.SIG_DFL, signal.SIG_IGN):
            signal.signal(signal.SIGHUP, before)
            self.assertIs(dropin.repeater.options, tap.Options)
            handler: Any = signal.getsignal(signal.SIGHUP)
            self.assertEqual((type(handler), handler.before, handler.came), (dropin.EarlyHangup, before, False))
            signal.raise_signal(signal.SIGHUP)
            self.assertTrue(handler.came)
        self.assertIs(dropin.repeater.options, tap.Options)
        self.assertIs(signal.getsignal(signal.SIGHUP), handler)

    def test_no_hangup(self) -> None:
        """Where the system has no SIGHUP, nothing is done about it."""
        self.patch(dropin, "SIGHUP", None)
        self.assertIs(dropin.repeater.options, tap.Options)
        self.assertIs(signal.getsignal(signal.SIGHUP), signal.SIG_DFL)
