"""What responses say of themselves."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.modbus import ExceptionResponse, ReadCoilsResponse, ReadHoldingRegistersResponse


class ResponseTests(SynchronousTestCase):
    """The responses."""

    def test_values(self) -> None:
        """They are equal if all they say is, and are changed by making another."""
        response = ReadHoldingRegistersResponse((1, 2), unit=7, transaction=9)
        self.assertEqual(replace(response, values=(3,)), ReadHoldingRegistersResponse((3,), unit=7, transaction=9))
        self.assertNotEqual(ReadCoilsResponse((True,)), ReadHoldingRegistersResponse((1,)))
        self.assertEqual(repr(ExceptionResponse(3, 2)), "ExceptionResponse(unit=1, transaction=0, function=3, code=2)")
