"""The service of a process as its fleet sees it."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from twisted_repeater.fleet import Call
from twisted_repeater.service.service_entrant import ServiceEntrant


class EntrantTests(TestCase):
    """`ServiceEntrant`."""

    async def test_drain(self) -> None:
        """Its only call is to drain, over some time or as long as the process drains anyway."""
        drained: list[float | None] = []
        entrant = ServiceEntrant(drained.append)
        await entrant.carry_out(Call("drain", {"over": 2.5}))
        await entrant.carry_out(Call("drain"))
        self.assertEqual(drained, [2.5, None])
        for call, text in (
            (Call("stop"), "this version of twisted_repeater knows no call 'stop' of the service"),
            (Call("drain", {"over": -1}), "over must be from 0 to 86400 seconds, not -1"),
        ):
            with self.assertRaisesRegex(ValueError, text):
                await entrant.carry_out(call)
        self.assertEqual(len(drained), 2)

    async def test_names(self) -> None:
        """It has no names, so nothing happens to any."""
        entrant = ServiceEntrant(lambda over: None)
        self.assertFalse(entrant.has_name("ann"))
        self.assertEqual(entrant.info(), {})
        await entrant.contest("ann", 1)
        entrant.name_lost("ann")
        entrant.lease_endangered()
        entrant.lease_lost()
