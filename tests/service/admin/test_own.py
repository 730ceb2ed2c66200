"""The administration of a program of one's own."""

from __future__ import annotations

from twisted_repeater.observers.metrics import MetricsObserver
from twisted_repeater.service.admin import OwnProgram, OwnRepeater, RecentErrors
from twisted_repeater.service.admin.subject import Administered

from ...peers import PeerCase


class OwnTests(PeerCase):
    """What the administration asks it."""

    async def test_program(self) -> None:
        """It has its repeaters by name, is ready unless one refuses newcomers, has nothing to reload, and ends."""
        metrics, errors, ended = MetricsObserver(), RecentErrors(), []
        world = await self.world(observers=[metrics, errors])
        own = OwnRepeater("edge", world.repeater, metrics, errors)
        program: Administered = OwnProgram([own], drain=lambda: ended.append("now"))
        self.assertEqual(program.repeaters, {"edge": own})
        self.assertEqual(own.dialect.name, "int32")
        self.assertEqual(program.unready(), [])
        world.repeater.drop_new_clients()
        self.assertEqual(program.unready(), ["edge: new clients are refused"])
        (answer,) = program.reload()
        self.assertEqual(
            (answer.repeater, answer.error, answer.keys), ("edge", "this program has nothing to reload", {})
        )
        program.drain()
        self.assertEqual(ended, ["now"])
