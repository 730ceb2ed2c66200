"""The settings of a repeater, how they are checked, and a callback that is left out."""

from __future__ import annotations

from typing import Any
from unittest import mock

from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Disconnected, Limits, Side, dialects
from twisted_repeater._link.application import Application, Callbacks, Settings, check_callable


class SettingsTests(SynchronousTestCase):
    """What `Repeater.create` is given."""

    def settings(self, **given: Any) -> Settings:
        """Make settings."""
        named = {"repeater_name": "edge", "server_name": "quotes", "is_client_allowed": lambda name: True}
        return Settings(**{"dialect": dialects.int32(), **named, **given})

    def test_defaults(self) -> None:
        """Everything but names, the dialect and who is allowed has a default."""
        settings = self.settings()
        self.assertEqual((settings.limits, settings.observers), (Limits(), ()))
        self.assertIsNone(settings.is_client_ip_authorized)

    def test_wrong(self) -> None:
        """A wrong one is named in the error, which says what it must be."""
        for name, value, told in (
            ("dialect", 3, "dialect must be a Dialect, not 3"),
            ("limits", None, "limits must be a Limits, not None"),
            ("repeater_name", b"edge", "repeater_name must be a str, not b'edge'"),
            ("server_name", 5, "server_name must be a str, not 5"),
            ("is_client_allowed", [], "is_client_allowed must be callable, not []"),
            ("is_client_ip_authorized", "all", "is_client_ip_authorized must be callable, not 'all'"),
        ):
            error = self.assertRaises(TypeError, self.settings, **{name: value})
            self.assertEqual(str(error), told)

    def test_callable(self) -> None:
        """A function passes."""
        check_callable("on_connect", print)

    def test_default_on_error(self) -> None:
        """If the application gave no ``on_error``, a link ends by default."""
        application = Application(self.settings(), Clock())
        application.started = Callbacks(print, None, print)
        pair, error = mock.Mock(), Disconnected(ConnectionDone())
        application.link_error(pair, Side.CLIENT, error)
        pair.end_by_default.assert_called_once_with(error)
        self.assertIs(error.side, Side.CLIENT)
