"""What ends a command."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.ctl.errors import Refused, SaidNo, Unreachable, Unusable


class StatusTests(SynchronousTestCase):
    """The exit statuses."""

    def test_statuses(self) -> None:
        """It is 1 if the administration said no, 2 if it could not be asked."""
        self.assertEqual([Refused(404, "no").status, SaidNo.status], [1, 1])
        self.assertEqual([Unreachable.status, Unusable.status], [2, 2])
