"""Calls about faults."""

from __future__ import annotations

from twisted_repeater.service.admin import faults as admin
from twisted_repeater.service.ready_faults import READY_FAULTS, fault_of

from .asking import AdminCase

FAULTS = "/repeaters/edge/faults"


class FaultTests(AdminCase):
    """Faults that are set."""

    async def test_set(self) -> None:
        """A fault is set, shown, replaced and removed, and ends by itself if it is told to."""
        world = await self.start()
        wanted = {"fault": "latency:seconds=0.2:direction=to-client:seed=7", "lasts": 60}
        shown = {
            "name": "slow",
            "fault": "Latency(direction=Direction.TO_CLIENT, seed=7, seconds=0.2)",
            "direction": "to-client",
            "seed": 7,
            "seconds_left": 60.0,
            "seen": 0,
            "hit": 0,
        }
        answered = (await self.ask("PUT", f"{FAULTS}/slow", wanted)).json
        for each in (answered, (await self.get(FAULTS))["faults"][0]):
            self.assertGreater(each["seconds_left"], 50)
            each.update(seconds_left=60.0, fault=shown["fault"])
            self.assertEqual(each, shown)
        answered = (await self.ask("PUT", f"{FAULTS}/slow", {"fault": "drop"})).json
        self.assertEqual((answered["fault"], answered["seconds_left"]), ("Drop()", None))
        await self.ask("PUT", f"{FAULTS}/other", {"fault": "stall:lasts=5"})
        self.assertEqual([active.name for active in world.repeater.faults], ["slow", "other"])
        left = (await self.ask("DELETE", f"{FAULTS}/slow")).json["faults"]
        self.assertEqual([fault["name"] for fault in left], ["other"])
        self.assertEqual(await self.fails(404, "DELETE", f"{FAULTS}/slow"), "no fault 'slow' is set")
        self.assertEqual((await self.ask("DELETE", FAULTS)).json, {"faults": []})

    async def test_wrong(self) -> None:
        """A fault that cannot be is refused with the reason."""
        await self.start()
        for name, body, reason in (
            ("x", {"fault": "lateness"}, "no fault 'lateness'"),
            ("x", {"fault": "latency:seconds=-1"}, "seconds must be"),
            ("x", {"fault": "drop:name=y"}, "must be that of the path, x, not y"),
            ("x", {"fault": "drop:lasts=5", "lasts": 6}, "not both"),
            ("x%20y", {"fault": "drop"}, "x y"),
        ):
            self.assertIn(reason, await self.fails(422, "PUT", f"{FAULTS}/{name}", body))
        self.assertEqual(await self.get(FAULTS), {"faults": []})

    async def test_many(self) -> None:
        """There is a limit to their number; those that are set can still be replaced."""
        self.patch(admin, "MAX_FAULTS", 1)
        await self.start()
        self.assertEqual((await self.ask("PUT", f"{FAULTS}/a", {"fault": "drop"})).status, 200)
        self.assertIn("remove one first", await self.fails(409, "PUT", f"{FAULTS}/b", {"fault": "drop"}))
        self.assertEqual((await self.ask("PUT", f"{FAULTS}/a", {"fault": "stall"})).status, 200)

    async def test_kinds(self) -> None:
        """Each kind has its summary and its options, so that a menu can offer them."""
        await self.start()
        kinds = {kind["name"]: kind for kind in (await self.get("/fault-kinds"))["kinds"]}
        self.assertEqual(list(kinds), list(READY_FAULTS))
        options = {option["name"]: option for option in kinds["latency"]["options"]}
        for name, kind, default, required, choices in (
            ("seconds", "number", None, True, None),
            ("jitter", "number", "0", False, None),
            ("every", "whole number", "1", False, None),
            ("clients", "text", None, False, None),
            ("first", "whole number", None, False, None),
            ("direction", "choice", "both", False, ["to-server", "to-client", "both"]),
            ("distribution", "choice", "uniform", False, ["uniform", "normal"]),
            ("lasts", "number", None, False, None),
        ):
            wanted = {"name": name, "kind": kind, "default": default, "required": required, "choices": choices}
            self.assertEqual(options[name], wanted)
        (passes,) = [option for option in kinds["cut"]["options"] if option["name"] == "passes"]
        self.assertEqual((passes["default"], passes["choices"]), ("no", ["yes", "no"]))

    async def test_defaults(self) -> None:
        """The defaults that are shown can be written as they are."""
        await self.start()
        for kind in (await self.get("/fault-kinds"))["kinds"]:
            given = {each["name"]: "2" if each["required"] else each["default"] for each in kind["options"]}
            text = ":".join(f"{name}={value}" for name, value in given.items() if value is not None)
            fault_of(f"{kind['name']}:{text}")
            self.assertTrue(kind["summary"].endswith("."), kind)
