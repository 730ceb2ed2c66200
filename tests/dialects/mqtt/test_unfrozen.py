"""Making messages fast."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, fields

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.mqtt import PubAck, Publish, PubRec
from twisted_repeater.dialects.mqtt.unfrozen import unfrozen


class UnfrozenTests(SynchronousTestCase):
    """Classes whose objects become messages."""

    def test_becomes_a_message(self) -> None:
        """What is made is a message like any other, and cannot be changed."""
        for cls, given in ((Publish, ("news", b"rain", 1, True, 7, True)), (PubAck, (7,)), (PubRec, (7, 0x87))):
            made = unfrozen(cls)(*given)
            made.__class__ = cls
            other = cls(*given)
            self.assertEqual((made, hash(made), repr(made)), (other, hash(other), repr(other)))
            self.assertEqual(pickle.loads(pickle.dumps(made)), other)
            for field in fields(cls):
                self.assertRaises(FrozenInstanceError, setattr, made, field.name, 3)
