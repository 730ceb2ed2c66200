"""Tests of who speaks with whom, and in which version."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.fix.codec import decode
from twisted_repeater.dialects.fix.identity import Identity, default_version, version_of

from .samples import LOGON, ORDER, frame

FULL = decode(frame("35=A|49=ANN|50=DESK|142=NY|56=EX|57=GATE|143=LN|"))


class IdentityTests(SynchronousTestCase):
    """The names of both parties."""

    def test_names(self) -> None:
        """A session is named after its version and both parties, with as many of their names as count."""
        for sub_ids, locations, name in (
            (False, False, "FIX.4.4:ANN->EX"),
            (True, False, "FIX.4.4:ANN/DESK->EX/GATE"),
            (False, True, "FIX.4.4:ANN//NY->EX//LN"),
            (True, True, "FIX.4.4:ANN/DESK/NY->EX/GATE/LN"),
        ):
            self.assertEqual(Identity.of(FULL, sub_ids=sub_ids, locations=locations).name, name)

    def test_absent(self) -> None:
        """A name that a message does not have is empty."""
        identity = Identity.of(decode(frame("35=A|")), sub_ids=True, locations=True)
        self.assertEqual(identity, Identity("FIX.4.4", "", "", "", "", "", ""))
        self.assertEqual(Identity.of(decode(LOGON), sub_ids=True).name, "FIX.4.4:ANN->EXCHANGE")


class VersionTests(SynchronousTestCase):
    """The version of the application."""

    def test_default(self) -> None:
        """It is BeginString, or in FIXT what DefaultApplVerID stands for."""
        self.assertEqual(default_version(decode(LOGON)), "FIX.4.4")
        for code, version in (
            ("9", "FIX.5.0SP2"),
            ("4", "FIX.4.2"),
            ("99", "FIXT.1.1"),
            ("x", "FIXT.1.1"),
            ("\xb2", "FIXT.1.1"),
        ):
            self.assertEqual(default_version(decode(frame(f"35=A|1137={code}|", "FIXT.1.1"))), version)

    def test_of_a_message(self) -> None:
        """A message that names a version is in that, any other in that of the Logon."""
        details = {"version": "FIX.5.0"}
        self.assertEqual(version_of(decode(ORDER), {}), "FIX.4.4")
        self.assertEqual(version_of(decode(frame("35=D|", "FIXT.1.1")), details), "FIX.5.0")
        self.assertEqual(version_of(decode(frame("35=D|1128=8|", "FIXT.1.1")), details), "FIX.5.0SP1")
        for code in ("x", "10", "", "\xb2", "9" * 5000):
            self.assertEqual(version_of(decode(frame(f"35=D|1128={code}|", "FIXT.1.1")), details), "FIX.5.0")
