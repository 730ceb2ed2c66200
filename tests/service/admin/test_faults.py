"""Faults in the administration, over HTTP."""

from __future__ import annotations

import json

from .test_api import AdminCase


class FaultTests(AdminCase):
    """``/faults`` and what is below."""

    async def test_set_list_remove(self) -> None:
        """A fault is set, listed with its seed and numbers, replaced and removed."""
        await self.start()
        status, text = await self.ask("POST", "/faults/slow?fault=latency:seconds=0.5:seed=7:lasts=60")
        self.assertEqual((status, text.strip()), (200, "set: Latency(seed=7, seconds=0.5), direction both, seed 7"))
        status, text = await self.ask("GET", "/faults")
        (shown,) = json.loads(text)["faults"]
        self.assertTrue(0 < shown.pop("seconds_left") <= 60)
        fault = "Latency(seed=7, seconds=0.5)"
        self.assertEqual(shown, {"name": "slow", "fault": fault, "direction": "both", "seed": 7, "seen": 0, "hit": 0})
        self.assertEqual((await self.ask("POST", "/faults/slow/remove"))[0], 200)
        self.assertEqual((await self.ask("POST", "/faults/slow/remove"))[0], 404)
        await self.ask("POST", "/faults/lost?fault=drop")
        self.assertEqual((await self.ask("POST", "/clear-faults"))[0], 200)
        self.assertEqual(json.loads((await self.ask("GET", "/faults"))[1]), {"faults": []})

    async def test_wrong_requests(self) -> None:
        """A request without a fault, or with a wrong one, says what is wrong and changes nothing."""
        await self.start()
        for path, reason in (
            ("/faults/a", "the query must have one fault"),
            ("/faults/a?fault=dorp", "there is no fault 'dorp'"),
            ("/faults/%C3%A4?fault=drop", "the name of a fault must be"),
        ):
            status, text = await self.ask("POST", path)
            self.assertEqual(status, 400)
            self.assertIn(reason, text)
        self.assertEqual((await self.ask("GET", "/faults/a"))[0], 405)
        self.assertEqual(json.loads((await self.ask("GET", "/faults"))[1]), {"faults": []})
